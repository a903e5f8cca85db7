//! The Linux door: files as far as the kernel lets this user read them, and programs of the allow-list only.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::{Answer, Hardware, Os, OsError, Route, Source, Stat, failed, files, hardware, lossy};

mod limits;
pub mod mountinfo;
mod mounts;
pub mod program;
pub mod recorded;
mod routes;

pub use program::{Output, Program};

/// State of the kernel's clock (`adjtimex`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KernelClock {
    /// True when the clock is synchronised to a reference.
    pub synchronised: bool,
    /// The remaining correction, in microseconds.
    pub offset_us: i64,
    /// The time service's estimate of the clock error, in microseconds.
    pub error_us: i64,
}

/// Owner and permissions of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Owner {
    /// User id.
    pub user: u32,
    /// Group id.
    pub group: u32,
    /// Permission bits, such as `0o440`.
    pub mode: u32,
}

/// The questions only Linux answers.
pub trait LinuxOs: Os {
    /// The target of the link at `path`.
    ///
    /// # Errors
    /// See [`Os::open`]; also [`OsError::Failed`] when it is not a link.
    fn link(&self, path: &str) -> Answer<String>;

    /// Runs `program` with `arguments` and waits for it to end. Arguments come from code, never from a policy or a server; the only
    /// exception are the options of root's running SSH server, which are checked and passed to the SSH server.
    ///
    /// # Errors
    /// [`OsError::Missing`] when it is not installed, [`OsError::TimedOut`] when it was killed at its deadline.
    fn run(&self, program: Program, arguments: &[&str]) -> Answer<Output>;

    /// Owner and permissions of what is at `path`, following links.
    ///
    /// # Errors
    /// See [`Os::open`].
    fn owner(&self, path: &str) -> Answer<Owner>;

    /// The IPv4 addresses of the interfaces: name and address with prefix length, such as `("eth0", "10.0.0.5/24")`.
    ///
    /// # Errors
    /// [`OsError::Failed`] when the kernel cannot be asked.
    fn addresses(&self) -> Answer<Vec<(String, String)>>;

    /// The routes of all tables but that of the machine's own addresses, without those that refuse packets.
    ///
    /// # Errors
    /// [`OsError::Failed`] when the kernel cannot be asked, [`OsError::TooLarge`] on a router of the internet.
    fn routes(&self) -> Answer<Vec<Route>>;

    /// State of the kernel's clock.
    ///
    /// # Errors
    /// [`OsError::Failed`] when it cannot be asked.
    fn kernel_clock(&self) -> Answer<KernelClock>;
}

/// A temporary folder for a program that writes even when it only reads. Deleted with its content on drop.
pub trait Scratch {
    /// The program options that make it write there.
    fn options(&self) -> Vec<String>;
}

/// Makes a temporary folder for the dnf at this path.
pub type ScratchForDnf = fn(&str) -> std::io::Result<Box<dyn Scratch>>;

/// The native Linux door.
#[derive(Clone, Copy, Debug, Default)]
pub struct Linux {
    scratch: Option<ScratchForDnf>,
}

impl Linux {
    /// The native door with a temporary folder for dnf. Without one dnf is not started: nothing here writes.
    pub fn with_scratch(scratch: ScratchForDnf) -> Self {
        Self { scratch: Some(scratch) }
    }
}

impl Os for Linux {
    fn open(&self, path: &str) -> Answer<Box<dyn Source>> {
        mounts::open(path, |path| {
            // Without NONBLOCK, a pipe put in the place of a file would block the collector forever.
            let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
            let file = OpenOptions::new()
                .read(true)
                .custom_flags(flags.bits().cast_signed())
                .open(path)
                .map_err(|error| failed(path, &error))?;
            let metadata = file.metadata().map_err(|error| failed(path, &error))?;
            if !metadata.is_file() {
                return Err(OsError::Failed(path.to_owned(), "is no ordinary file".to_owned()));
            }
            Ok(file)
        })
    }

    fn administrator(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    fn disk_size(&self, path: &str) -> Answer<u64> {
        let size = |path: &str| rustix::fs::statvfs(path).map_err(|error| failed(path, &error.into()));
        mounts::ask(path, size).map(|size| size.f_blocks.saturating_mul(size.f_frsize))
    }

    fn list(&self, path: &str) -> Answer<Vec<String>> {
        mounts::ask(path, files::list)
    }

    fn stat(&self, path: &str) -> Answer<Stat> {
        mounts::ask(path, files::stat)
    }

    fn hardware(&self) -> Hardware {
        hardware::read()
    }
}

impl LinuxOs for Linux {
    fn link(&self, path: &str) -> Answer<String> {
        let target = mounts::ask(path, |path| std::fs::read_link(path).map_err(|error| failed(path, &error)))?;
        target.into_os_string().into_string().map_err(|_| OsError::Failed(path.to_owned(), "is not UTF-8".to_owned()))
    }

    fn run(&self, program: Program, arguments: &[&str]) -> Answer<Output> {
        let path = program.paths().iter().find(|path| self.exists(path));
        let path = path.ok_or_else(|| OsError::Missing(program.paths()[0].to_owned()))?;
        let scratch = match program {
            Program::Dnf => {
                const WHAT: &str = "a throw-away place";
                let make = self.scratch.ok_or_else(|| OsError::Missing(WHAT.to_owned()))?;
                Some(make(path).map_err(|error| failed(WHAT, &error))?)
            }
            _ => None,
        };
        let options = scratch.as_ref().map(|scratch| scratch.options()).unwrap_or_default();
        let arguments: Vec<&str> = options.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        run(path, &arguments, program.deadline(), program.output_cap(), program.memory())
    }

    fn owner(&self, path: &str) -> Answer<Owner> {
        let metadata = mounts::ask(path, |path| std::fs::metadata(path).map_err(|error| failed(path, &error)))?;
        Ok(Owner { user: metadata.uid(), group: metadata.gid(), mode: metadata.mode() & 0o7777 })
    }

    fn addresses(&self) -> Answer<Vec<(String, String)>> {
        let networks = sysinfo::Networks::new_with_refreshed_list();
        let networks = networks.map_err(|error| OsError::Failed("interfaces".to_owned(), error.to_string()))?;
        let mut addresses = Vec::new();
        for (name, network) in networks.iter() {
            let own = network.ip_networks().iter().filter(|network| network.addr.is_ipv4());
            addresses.extend(own.map(|network| (name.to_string_lossy().into_owned(), network.to_string())));
        }
        addresses.sort_unstable();
        Ok(addresses)
    }

    fn routes(&self) -> Answer<Vec<Route>> {
        routes::routes()
    }

    fn kernel_clock(&self) -> Answer<KernelClock> {
        clock::read()
    }
}

/// Runs the program at `path` in its own process group and kills the group at the deadline, and also when the program ended
/// but left children behind. It may use `memory` bytes of address space; `cap` bytes of each output are kept.
fn run(path: &str, arguments: &[&str], deadline: Duration, cap: usize, memory: u64) -> Answer<Output> {
    let until = Instant::now() + deadline;
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that starts a process; `Program` is the allow-list"
    )]
    let mut command = Command::new(path);
    command.args(arguments).env_clear().env("LC_ALL", "C").current_dir("/").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(path, &error))?;
    let group = Pid::from_child(&child);
    limits::set(group, memory, deadline);

    let (sender, answers) = mpsc::channel();
    let started = read_apart(child.stdout.take(), cap, Part::Stdout, &sender)
        .and_then(|()| read_apart(child.stderr.take(), cap, Part::Stderr, &sender))
        .and_then(|()| wait_apart(group, &sender));
    let (mut stdout, mut stderr, mut ended) = (None, None, false);
    let mut complete = started.is_ok();
    while complete && !(ended && stdout.is_some() && stderr.is_some()) {
        match answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok((Part::Stdout, bytes)) => stdout = Some(bytes),
            Ok((Part::Stderr, bytes)) => stderr = Some(bytes),
            Ok((Part::End, _)) => ended = true,
            Err(_) => complete = false,
        }
    }
    // The leader is not reaped yet, so its number cannot belong to another process.
    let _ = rustix::process::kill_process_group(group, Signal::KILL);
    let status = reap(&mut child, path)?;
    started.map_err(|error| failed(path, &error))?;
    match (complete, stdout, stderr) {
        (true, Some(stdout), Some(stderr)) => {
            let cut = stdout.len() >= cap;
            Ok(Output { status, stdout: lossy(stdout), stderr: lossy(stderr), cut })
        }
        _ => Err(OsError::TimedOut(path.to_owned())),
    }
}

fn reap(child: &mut Child, path: &str) -> Answer<Option<i32>> {
    Ok(child.wait().map_err(|error| failed(path, &error))?.code())
}

/// What a helper thread reports.
enum Part {
    Stdout,
    Stderr,
    End,
}

type Reports = mpsc::Sender<(Part, Vec<u8>)>;

/// Keeps the first `cap` bytes and discards the rest, so that a program with much output does not block.
fn read_apart(pipe: Option<impl Read + Send + 'static>, cap: usize, part: Part, to: &Reports) -> std::io::Result<()> {
    let to = to.clone();
    let read = move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            let whole = pipe.by_ref().take(cap as u64).read_to_end(&mut kept);
            let _ = whole.and_then(|_| std::io::copy(&mut pipe, &mut std::io::sink()));
        }
        let _ = to.send((part, kept));
    };
    thread::Builder::new().name("pipe".to_owned()).stack_size(64 << 10).spawn(read).map(drop)
}

/// Reports when the process has ended, without reaping it.
fn wait_apart(group: Pid, to: &Reports) -> std::io::Result<()> {
    let to = to.clone();
    let wait = move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(rustix::process::waitid(WaitId::Pid(group), options), Err(rustix::io::Errno::INTR)) {}
        let _ = to.send((Part::End, Vec::new()));
    };
    thread::Builder::new().name("wait".to_owned()).stack_size(64 << 10).spawn(wait).map(drop)
}

mod clock {
    //! The state of the kernel's clock.

    use crate::{Answer, KernelClock, failed};

    /// Asks `adjtimex` with `modes` 0, which changes nothing.
    pub(super) fn read() -> Answer<KernelClock> {
        #[expect(unsafe_code, reason = "no safe crate reads the kernel clock's status without being able to set it")]
        let (state, timex) = {
            // SAFETY: `timex` is plain old data for which all zeroes is a valid value (modes 0: read only), and the kernel
            // only writes within the struct it is given.
            unsafe {
                let mut timex: libc::timex = std::mem::zeroed();
                let state = libc::adjtimex(&raw mut timex);
                (state, timex)
            }
        };
        if state < 0 {
            return Err(failed("adjtimex", &std::io::Error::last_os_error()));
        }
        let scale = if timex.status & libc::STA_NANO == 0 { 1 } else { 1_000 };
        Ok(KernelClock {
            synchronised: timex.status & libc::STA_UNSYNC == 0 && state != libc::TIME_ERROR,
            offset_us: timex.offset / scale,
            error_us: timex.esterror,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, deadline: Duration, cap: usize) -> Answer<Output> {
        run("/bin/sh", &["-c", script], deadline, cap, 1 << 30)
    }

    #[test]
    fn a_program_that_wants_too_much_memory_or_disk_ends_and_nobody_else() {
        // The limits take effect a moment after the start.
        let limited = |script: &str| {
            let script = format!("while [ $(ulimit -f) = unlimited ]; do :; done; {script}");
            shell(&script, Duration::from_secs(60), 1000).unwrap()
        };
        let greedy = limited("head -c 2G /dev/zero | tail -c 2G | wc -c");
        assert_eq!(greedy.stdout.trim(), "0", "{greedy:?}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        assert_ne!(limited(&format!("head -c 100M /dev/zero > {}", file.display())).status, Some(0));
        assert_eq!(std::fs::metadata(file).unwrap().len(), 64 << 20);
    }

    #[test]
    fn a_program_gets_an_empty_environment_and_closed_input() {
        let output = shell("/usr/bin/env; read line && echo heard; exit 3", Duration::from_secs(30), 1000).unwrap();
        let lines: Vec<&str> = output
            .stdout
            .lines()
            .filter(|line| !["PWD=", "_=", "SHLVL="].iter().any(|own| line.starts_with(own)))
            .collect();
        assert_eq!((output.status, lines), (Some(3), vec!["LC_ALL=C"]));
    }

    #[test]
    fn a_hung_program_is_ended_with_all_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}; wait", mark.display());
        assert!(matches!(shell(&script, Duration::from_millis(500), 10), Err(OsError::TimedOut(_))));
        let child = std::fs::read_to_string(&mark).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        let until = Instant::now() + Duration::from_secs(30);
        // Ending it is up to the kernel; a zombie waits for its adoptive parent.
        while Instant::now() < until && !state().is_empty() && !state().contains(") Z ") {
            thread::yield_now();
        }
        assert!(state().is_empty() || state().contains(") Z "), "{}", state());
    }

    #[test]
    fn a_program_that_leaves_a_child_behind_does_not_hold_the_answer_beyond_the_deadline() {
        let answer = shell("sleep 1000 & echo done", Duration::from_millis(500), 10);
        assert!(matches!(answer, Err(OsError::TimedOut(_))));
    }

    #[test]
    fn a_talkative_program_is_cut_and_still_ends() {
        let output = shell("yes | head -c 1000000; yes | head -c 1000000 >&2", Duration::from_secs(30), 100).unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len(), output.cut, output.status), (100, 100, true, Some(0)));
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        assert!(matches!(Linux::default().head(pipe.to_str().unwrap(), 10), Err(OsError::Failed(..))));
        assert!(matches!(Linux::default().open("/dev/zero"), Err(OsError::Failed(..))));
        assert!(matches!(Linux::default().open("/no/such/file"), Err(OsError::Missing(_))));
    }

    #[test]
    fn a_name_that_is_not_text_is_not_left_out() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"\xfe")), "").unwrap();
        assert!(matches!(Linux::default().list(folder.path().to_str().unwrap()), Err(OsError::Failed(..))));
    }

    #[test]
    fn caps_hold() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "0123456789").unwrap();
        let file = file.to_str().unwrap();
        assert_eq!(Linux::default().read(file, 9), Err(OsError::TooLarge(file.to_owned(), 9)));
        assert_eq!(Linux::default().read(file, 10).unwrap(), b"0123456789");
        assert_eq!(Linux::default().head(file, 3).unwrap(), b"012");
        assert_eq!(Linux::default().tail(file, 3).unwrap(), b"789");
        assert_eq!(Linux::default().tail(file, 30).unwrap(), b"0123456789");
        assert_eq!(Linux::default().range(file, 8, 30).unwrap(), b"89");
        assert_eq!(Linux::default().range(file, 80, 30).unwrap(), b"");
    }

    #[test]
    fn the_kernel_answers() {
        assert!(Linux::default().kernel_clock().is_ok());
        assert!(Linux::default().disk_size("/").unwrap() > 0);
        let hardware = Linux::default().hardware();
        assert!(hardware.memory > 0 && hardware.processors > 0 && hardware.booted_at > 0, "{hardware:?}");
    }
}
