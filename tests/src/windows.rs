//! A Windows for tests: a prefix of Wine, the product's program built for it, and a session that keeps its services alive.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::checkout;
use crate::process::{Answer, Running, answer, command};
use crate::test_agent::Enrolment;
use crate::wait;

/// The name of the agent's service.
const SERVICE: &str = "TramAn";

/// Programs needed on the path besides Rust.
const NEEDS: [&str; 3] = ["x86_64-w64-mingw32-gcc", "i686-w64-mingw32-gcc", "wine"];

/// Which of the needed programs this machine lacks.
pub fn lacks() -> Vec<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |name: &&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    NEEDS.into_iter().filter(|name| !found(name)).collect()
}

/// Builds the agent for `architecture` (`x86_64`, which Wine runs here, or `i686`).
///
/// # Errors
/// The build fails; the error has its output.
pub fn program(architecture: &str) -> anyhow::Result<PathBuf> {
    let mut build = command(checkout::root()?.join("agent/packaging/windows/build"));
    let built = answer(build.arg(architecture))?;
    ensure!(built.code == Some(0), "the Windows program was not built: {}", built.err);
    Ok(PathBuf::from(built.out.trim()))
}

/// A path as a Windows program under Wine reads it.
///
/// # Errors
/// It is not UTF-8.
pub fn path(path: &Path) -> anyhow::Result<String> {
    Ok(format!("Z:{}", path.to_str().context("the path is not UTF-8")?.replace('/', "\\")))
}

/// A Windows of its own. Everything running in it ends with this value.
#[derive(Debug)]
pub struct Windows {
    /// The agent's program.
    pub program: PathBuf,
    /// Wine's folder for it.
    pub prefix: PathBuf,
}

impl Windows {
    /// A program of Wine or of the machine, before it is started.
    pub fn wine(&self, arguments: &[&str]) -> Command {
        let mut wine = command("wine");
        wine.args(arguments).env("WINEPREFIX", &self.prefix).env("WINEDEBUG", "-all").env_remove("DISPLAY");
        wine
    }

    /// Runs such a program, which must end with 0.
    ///
    /// # Errors
    /// It cannot be started or ends with something else.
    pub fn done(&self, arguments: &[&str]) -> anyhow::Result<Answer> {
        let answer = answer(&mut self.wine(arguments))?;
        ensure!(answer.code == Some(0), "{arguments:?}: {answer:?}");
        Ok(answer)
    }

    /// The agent, before it is started.
    ///
    /// # Errors
    /// The program's path is not UTF-8.
    pub fn agent(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let program = self.program.to_str().context("the program's path is not UTF-8")?;
        Ok(self.wine(&[&[program], arguments].concat()))
    }

    /// Writes a text into the registry.
    ///
    /// # Errors
    /// Wine refuses.
    pub fn registry_set(&self, key: &str, name: &str, value: &str) -> anyhow::Result<()> {
        self.done(&["reg", "add", key, "/v", name, "/t", "REG_SZ", "/d", value, "/f"])?;
        Ok(())
    }

    /// The process of this Windows whose command line holds `words`, as Linux numbers it.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn process(&self, words: &str) -> anyhow::Result<u32> {
        let mut found = self.processes()?;
        found.retain(|(_, line)| line.contains(words));
        match &found[..] {
            [(process, _)] => Ok(*process),
            _ => bail!("{words} is the command line of {found:?}, not of one process"),
        }
    }

    /// All that runs in it, Wine's server too: process and command line.
    fn processes(&self) -> anyhow::Result<Vec<(u32, String)>> {
        let mark = format!("WINEPREFIX={}", self.prefix.display());
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // What cannot be read has ended or belongs to somebody else.
            let (Ok(environment), Ok(line)) =
                (std::fs::read(entry.path().join("environ")), std::fs::read(entry.path().join("cmdline")))
            else {
                continue;
            };
            if environment.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes()) {
                found.push((process, String::from_utf8_lossy(&line).replace('\0', " ")));
            }
        }
        Ok(found)
    }

    /// Waits until nothing runs in it any more. A program started while Wine's services are ending gets a second set of services next
    /// to the first, and none of them answers.
    fn is_off(&self) -> anyhow::Result<()> {
        wait::until("Wine's services end", wait::PATIENCE, || Ok(self.processes()?.is_empty().then_some(())))
            .with_context(|| format!("{:?}", self.processes()))
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        // Wine's own server outlives the last program by some seconds; it may already be gone.
        drop(answer(&mut self.wine(&["wineboot", "--kill"])));
    }
}

/// A Windows that is switched on: Wine ends its services with the last program of a person.
#[derive(Debug)]
pub struct Machine {
    /// What runs in it.
    pub windows: Windows,
    person: Running,
    folder: PathBuf,
}

impl Machine {
    /// Makes a Windows in `folder` and switches it on.
    ///
    /// # Errors
    /// The program cannot be built or Wine refuses.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let windows = Windows { program: program("x86_64")?, prefix: folder.join("wine") };
        // Any program: the first one makes Wine create the folder.
        windows.done(&["reg", "query", "HKLM"])?;
        windows.is_off()?;
        let machine = Self { person: person(&windows, folder)?, windows, folder: folder.to_path_buf() };
        machine.is_on()?;
        Ok(machine)
    }

    /// Switches it off and on: Wine starts the services that its registry now holds.
    ///
    /// # Errors
    /// Wine refuses.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.windows.done(&["wineboot", "--kill"])?;
        self.windows.is_off()?;
        self.person = person(&self.windows, &self.folder)?;
        self.is_on()
    }

    /// Waits until Wine has started its services: this one starts by itself.
    fn is_on(&self) -> anyhow::Result<()> {
        self.service_runs("PlugPlay")
    }

    /// Waits until a service runs.
    ///
    /// # Errors
    /// It does not, or there is none.
    pub fn service_runs(&self, service: &str) -> anyhow::Result<()> {
        let mut last = String::new();
        wait::until(&format!("the service {service} runs"), wait::PATIENCE, || {
            // Right after the start there is no service manager to ask yet.
            last = self.state_of(service).unwrap_or_else(|error| format!("{error:#}"));
            Ok((last == "RUNNING").then_some(()))
        })
        .with_context(|| last)
    }

    /// A folder of its system's drive.
    pub fn drive(&self, path: &str) -> PathBuf {
        self.windows.prefix.join("drive_c").join(path)
    }

    /// The agent's state folder.
    pub fn state(&self) -> PathBuf {
        self.drive("ProgramData/TramAn/agent")
    }

    /// Runs a program of Wine or of the machine to its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn wine(&self, arguments: &[&str]) -> anyhow::Result<Answer> {
        answer(&mut self.windows.wine(arguments))
    }

    /// Takes over settings as `regedit` exports them.
    ///
    /// # Errors
    /// Wine refuses.
    pub fn settings_import(&self, settings: &str) -> anyhow::Result<()> {
        let file = self.folder.join("settings.reg");
        let text = settings.replace('\n', "\r\n");
        let units = std::iter::once('\u{feff}').chain(text.chars()).collect::<String>();
        std::fs::write(&file, units.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())?;
        self.windows.done(&["regedit", "/S", &path(&file)?])?;
        Ok(())
    }

    /// Installs the agent's service; connects it when there is something to connect with.
    ///
    /// # Errors
    /// It cannot be started. A refusal is in the answer.
    pub fn install(&self, enrolment: Option<&Enrolment>) -> anyhow::Result<Answer> {
        let mut install = match enrolment {
            None => self.windows.agent(&["install"])?,
            Some(Enrolment { server, fingerprint, .. }) => {
                self.windows.agent(&["install", "--server", server, "--fingerprint", fingerprint])?
            }
        };
        if let Some(enrolment) = enrolment {
            install.env("TRAM_AN_TOKEN", &enrolment.token);
        }
        answer(&mut install)
    }

    /// What the service control manager reports about the agent's service (`RUNNING`).
    ///
    /// # Errors
    /// There is no such service.
    pub fn state_of_service(&self) -> anyhow::Result<String> {
        self.state_of(SERVICE)
    }

    /// What the service control manager reports about a service.
    ///
    /// # Errors
    /// There is no such service.
    pub fn state_of(&self, service: &str) -> anyhow::Result<String> {
        let asked = self.windows.done(&["sc", "query", service])?;
        let state = asked.out.lines().find(|line| line.trim_start().starts_with("STATE"));
        let state = state.and_then(|line| line.split_ascii_whitespace().last());
        Ok(state.context("no state")?.to_owned())
    }

    /// The agent's identity, as it stored it.
    ///
    /// # Errors
    /// It has none yet.
    pub fn identity(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.state().join("identity.json"))?)
    }

    /// The agent's log, or why it cannot be read.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.state().join("agent.log")).unwrap_or_else(|error| error.to_string())
    }

    /// Whether the newest facts of a section that the agent keeps hold `words`.
    pub fn facts_hold(&self, section: &str, words: &str) -> bool {
        let kept = std::fs::read_to_string(self.state().join(format!("sections/{section}.json")));
        kept.is_ok_and(|kept| kept.contains(words))
    }
}

/// A user session that stays open.
fn person(windows: &Windows, folder: &Path) -> anyhow::Result<Running> {
    let ping = windows.wine(&[r"C:\windows\system32\ping.exe", "-n", "1000000", "127.0.0.1"]);
    Running::start("ping", ping, &folder.join("person.log"))
}
