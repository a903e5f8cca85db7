//! Finds the SSH servers, with the options they were started with, which override their file.

use jiff::Timestamp;
use policies::fact::{Reason, Unknown};

use super::{cause, unit};
use crate::linux::context::{CheckContext, Process, optional};
use crate::linux::text::capped;
use os::{Answer, OsError, Program};

const FILE: &str = "/etc/ssh/sshd_config";

/// One server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Its configuration file.
    pub(super) file: String,
    /// Its options that affect settings, in a form that may be passed to `sshd -T`.
    pub(super) options: Vec<String>,
    /// When it read its file; `None` when it reads it for every connection, or when unknown.
    pub(super) read_at: Option<Timestamp>,
}

/// The result of the search.
pub(super) struct Found {
    /// True when one runs, or systemd listens on its port.
    pub(super) serves: bool,
    /// Those whose options are known.
    pub(super) servers: Vec<Server>,
    /// Why there may be others.
    pub(super) trouble: Option<Unknown>,
}

/// Finds the servers. One that is installed but not running is treated as if started without options.
pub(super) fn find(context: &CheckContext) -> Found {
    let installed = is_installed(context);
    let mut found = Found { serves: context.runs_any(&["sshd", "dropbear"]), servers: Vec::new(), trouble: None };
    let note = |found: &mut Found, server: Result<Option<Server>, Unknown>| match server {
        Ok(Some(server)) if !found.servers.contains(&server) => found.servers.push(server),
        Ok(_) => {}
        Err(trouble) => drop(found.trouble.get_or_insert(trouble)),
    };
    for process in context.visible_processes().iter().filter(|process| !context.contained(process.pid)) {
        match process.name.as_str() {
            "sshd" => note(&mut found, running(context, process)),
            "dropbear" => note(&mut found, Err(trouble(Reason::NoReader, "dropbear"))),
            _ => {}
        }
    }
    for stem in ["ssh", "sshd"] {
        let socket = format!("{stem}.socket");
        let held = context.os.exists(&format!("/sys/fs/cgroup/system.slice/{socket}")) || context.unit_enabled(&socket);
        if installed && context.systemd() && held {
            found.serves = true;
            note(&mut found, on_demand(context, stem).map(Some));
        }
    }
    if installed && found.servers.is_empty() && found.trouble.is_none() {
        found.servers.push(Server { file: FILE.to_owned(), options: Vec::new(), read_at: None });
    }
    found
}

/// True when OpenSSH's server is there.
pub(super) fn is_installed(context: &CheckContext) -> bool {
    Program::Sshd.paths().iter().any(|path| context.os.exists(path))
}

fn trouble(reason: Reason, detail: &str) -> Unknown {
    Unknown { reason, detail: capped(detail) }
}

/// The server in this process; `None` when it serves a single connection, or only the person who started it.
fn running(context: &CheckContext, process: &Process) -> Result<Option<Server>, Unknown> {
    let folder = format!("/proc/{}", process.pid);
    let line = match context.os.read(&format!("{folder}/cmdline"), 1 << 16) {
        // It has ended meanwhile.
        Err(OsError::Missing(_)) if !context.os.exists(&folder) => return Ok(None),
        Err(OsError::Missing(_)) => Program::Sshd.paths()[0].to_owned(),
        line => os::lossy(line.map_err(|error| cause(&error))?),
    };
    if !belongs_to_root(context, &folder).map_err(|error| cause(&error))? {
        return Ok(None);
    }
    let Some(words) = words(&line)? else { return Ok(None) };
    let (file, options) = options(&words).ok_or_else(|| trouble(Reason::Unreadable, "options of the running sshd"))?;
    // A server whose file belongs to another program cannot be asked.
    let executable = context.os.link(&format!("{folder}/exe"));
    let own = |path: &str| Program::Sshd.paths().contains(&path.trim_end_matches(" (deleted)"));
    match executable {
        Ok(path) if !own(&path) => return Err(trouble(Reason::NoReader, &format!("SSH server {path}"))),
        _ => {}
    }
    if context.os.link(&format!("{folder}/root")).is_ok_and(|root| root != "/") {
        return Err(trouble(Reason::NoReader, "an SSH server with a root folder of its own"));
    }
    let own = |text: Vec<u8>| String::from_utf8_lossy(&text).trim().parse() == Ok(process.pid);
    // A server told to reload keeps its process id and rewrites this file.
    let renewed = context.os.head("/run/sshd.pid", 32).is_ok_and(own).then(|| context.os.stat("/run/sshd.pid"));
    let renewed = renewed.and_then(Result::ok).and_then(|stat| Timestamp::from_millisecond(stat.modified_at).ok());
    Ok(Some(Server { file, options, read_at: started(context, process.pid).max(renewed) }))
}

/// True for a process that root started and runs: options from other users are not passed to a program run as root. Checking the owner
/// of its folder is not enough, because a process can make root appear as owner there.
fn belongs_to_root(context: &CheckContext, folder: &str) -> Answer<bool> {
    let Some(users) = optional(context.text(&format!("{folder}/status")))? else {
        return Ok(context.os.owner(folder)?.user == 0);
    };
    let users = users.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    Ok(!users.trim().is_empty() && users.split_ascii_whitespace().all(|user| user == "0"))
}

/// When the process was started: field 22 of its `stat`, in hundredths of a second since boot.
fn started(context: &CheckContext, pid: u32) -> Option<Timestamp> {
    let stat = context.line(&format!("/proc/{pid}/stat"))?;
    let ticks: i64 = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()?;
    let booted_at = context.os.hardware().booted_at;
    (booted_at > 0).then(|| Timestamp::from_second(booted_at.checked_add(ticks / 100)?).ok())?
}

/// The arguments of a listening server, without its own name. It writes them into its title:
/// `sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups`; older ones leave them unchanged.
fn words(line: &str) -> Result<Option<Vec<String>>, Unknown> {
    let text = line.trim_end_matches('\0');
    if let Some(title) = text.strip_prefix("sshd: ") {
        return match title.split_once(" [listener]") {
            Some((words, _)) => Ok(Some(words.split_ascii_whitespace().skip(1).map(str::to_owned).collect())),
            // A title is truncated when its space is used up.
            None if title.starts_with('/') => Err(trouble(Reason::Unreadable, "the title of the running sshd is cut")),
            None => Ok(None),
        };
    }
    let mut words = text.split('\0').map(str::to_owned);
    Ok(words.next().filter(|name| name.ends_with("sshd")).map(|_| words.collect()))
}

/// The file and the options that affect settings; `None` when the arguments are ambiguous.
pub(super) fn options(words: &[String]) -> Option<(String, Vec<String>)> {
    /// Options with a value that does not affect settings: descriptors, logs, keys, times.
    const OTHER: &str = "CEbcghku";
    let (mut file, mut options) = (FILE.to_owned(), Vec::new());
    let mut rest = words.iter().peekable();
    while let Some(word) = rest.next() {
        for (at, letter) in word.strip_prefix('-')?.char_indices() {
            if "46DGQRTdeiqrtV".contains(letter) {
                continue;
            }
            let own = &word[at + 2..];
            let mut value = if own.is_empty() { rest.next()?.clone() } else { own.to_owned() };
            match letter {
                'o' => {
                    // `-o "AllowUsers a b"` stands in the title without its quotes.
                    while let Some(more) = rest.next_if(|more| !more.starts_with('-')) {
                        value = format!("{value} {more}");
                    }
                    let (name, value) = value.split_once(['=', ' '])?;
                    let plain = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric());
                    if !plain || value.chars().any(char::is_control) {
                        return None;
                    }
                    options.extend(["-o".to_owned(), format!("{name}={}", value.trim())]);
                }
                'f' if value.starts_with('/') && !value.chars().any(char::is_control) => {
                    file.clone_from(&value);
                    options.extend(["-f".to_owned(), value]);
                }
                'p' if value.parse::<u16>().is_ok() => options.extend(["-p".to_owned(), value]),
                other if OTHER.contains(other) => {}
                _ => return None,
            }
            break;
        }
    }
    Some((file, options))
}

/// The server that systemd starts for a connection to its socket.
fn on_demand(context: &CheckContext, stem: &str) -> Result<Server, Unknown> {
    let read = |name: &str| unit::read(context, name).map_err(|error| cause(&error));
    let socket = read(&format!("{stem}.socket"))?;
    let each = socket.last("Accept").is_some_and(crate::linux::text::yes);
    let service = read(&if each { format!("{stem}@.service") } else { format!("{stem}.service") })?;
    let words = service.command(context).map_err(|error| cause(&error))?;
    let known = words.filter(|words| words.first().is_some_and(|path| Program::Sshd.paths().contains(&path.as_str())));
    let known = known.and_then(|words| options(&words[1..]));
    let (file, options) =
        known.ok_or_else(|| trouble(Reason::Unreadable, &format!("the service behind {stem}.socket")))?;
    Ok(Server { file, options, read_at: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Option<Vec<String>> {
        words(line).ok().flatten().and_then(|words| options(&words)).map(|(_, options)| options)
    }

    #[test]
    fn the_options_of_a_running_server_are_read() {
        let title = |words: &str| format!("sshd: /usr/sbin/sshd {words} [listener] 0 of 10-100 startups\0");
        let root = ["-o", "PermitRootLogin=yes"].map(str::to_owned);
        assert_eq!(told(&title("-D -o PermitRootLogin=yes")).unwrap(), root);
        assert_eq!(told("/usr/sbin/sshd\0-D\0-oPermitRootLogin=yes\0").unwrap(), root);
        assert_eq!(told(&title("-De -oPermitRootLogin yes")).unwrap(), root);
        assert_eq!(
            told(&title("-D -p 2222 -f /etc/ssh/other -o AllowUsers a b -E /var/log/x")).unwrap(),
            ["-p", "2222", "-f", "/etc/ssh/other", "-o", "AllowUsers=a b"]
        );
        assert_eq!(told(&title("-D")).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_no_listening_server_or_no_option_is_not_handed_on() {
        for line in ["sshd: canbo [priv]\0", "sshd: canbo@pts/0\0", "sshd: [accepted]\0", "", "bash\0-D\0"] {
            assert!(words(line).unwrap().is_none(), "{line}");
        }
        assert!(words("sshd: /usr/sbin/sshd -D -p 22122 -o PermitRootL\0s\0").is_err(), "cut");
        for line in ["-f relative", "-o", "-o =x", "-o A;B=x", "-p x", "-Z", "stray", "-f /x\ny"] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(options(&words), None, "{line}");
        }
    }
}
