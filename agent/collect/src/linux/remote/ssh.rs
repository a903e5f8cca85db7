//! The SSH servers of this machine and the settings they report, for everyone who may connect.

use std::collections::{BTreeMap, BTreeSet};

use policies::fact::{Fact, Reason, Unknown};

use crate::linux::context::{CheckContext, unknown};
use crate::linux::text::{capped, yes};
use os::{Answer, OsError, Output, Program};

mod matches;
mod servers;
mod unit;

use matches::{Caller, Configuration};
use servers::Server;

/// Where keys are looked for by default.
const SHIPPED_KEY_FILES: &str = ".ssh/authorized_keys .ssh/authorized_keys2";

/// The servers' answers.
pub(in crate::linux) struct Ssh {
    serves: bool,
    /// True when a server is present, running or not.
    installed: bool,
    /// One answer per server and kind of caller.
    answers: Vec<Settings>,
    /// Why some server's answer is missing.
    trouble: Option<Unknown>,
    /// Keywords that a `Match` block sets for callers who cannot be simulated.
    open: BTreeSet<String>,
}

/// What `sshd -T` prints for one caller: keywords in lower case with their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// The caller's account; `None` for everyone.
    user: Option<String>,
    values: BTreeMap<String, String>,
}

impl Settings {
    fn printed(text: &str, user: Option<String>) -> Self {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        for (keyword, value) in text.lines().filter_map(|line| line.trim().split_once(' ')) {
            // Newer servers print the manual's capitalisation; of a repeated keyword, as AllowUsers may be, all lines apply.
            let line = values.entry(keyword.to_ascii_lowercase()).or_default();
            *line = format!("{line} {}", value.trim()).trim().to_owned();
        }
        Self { user, values }
    }

    /// The value of `keyword`, as the server prints it.
    pub(super) fn value(&self, keyword: &str) -> Option<&str> {
        self.values.get(keyword).map(String::as_str)
    }

    /// True for settings that apply to root.
    pub(super) fn of_root(&self) -> bool {
        self.user.as_deref().is_none_or(|user| user == "root")
    }

    /// True when the settings never apply: root, whom the server refuses.
    fn is_idle(&self) -> bool {
        self.user.as_deref() == Some("root") && self.value("permitrootlogin") == Some("no")
    }
}

impl Ssh {
    /// Finds the servers and asks each.
    pub(in crate::linux) fn ask(context: &CheckContext) -> Self {
        let found = servers::find(context);
        let mut ssh = Self {
            serves: found.serves,
            installed: found.serves || servers::is_installed(context),
            answers: Vec::new(),
            trouble: found.trouble,
            open: BTreeSet::new(),
        };
        for server in &found.servers {
            if let Err(trouble) = ssh.ask_one(context, server) {
                ssh.trouble.get_or_insert(trouble);
            }
        }
        if ssh.answers.is_empty() && ssh.trouble.is_none() {
            ssh.trouble = Some(cause(&OsError::Missing(Program::Sshd.paths()[0].to_owned())));
        }
        ssh
    }

    fn ask_one(&mut self, context: &CheckContext, server: &Server) -> Result<(), Unknown> {
        let configuration = Configuration::read(context, &server.file);
        let configuration = match configuration {
            // Only root may read it; for other users the server itself may still answer.
            Err(OsError::Denied(_)) if !context.os.administrator() => {
                return Err(Unknown { reason: Reason::NeedsAdministrator, detail: server.file.clone() });
            }
            configuration => configuration.map_err(|error| cause(&error))?,
        };
        if let Some(file) = configuration.changed_since(context, server.read_at) {
            let detail = format!("{} was changed after the server had read it", capped(&file));
            return Err(Unknown { reason: Reason::Unreadable, detail });
        }
        let (callers, open) = configuration.callers(context);
        self.open.extend(open);
        for caller in callers {
            let text = print(context, &server.options, caller.as_ref())?;
            self.answers.push(Settings::printed(&text, caller.map(|caller| caller.user)));
        }
        Ok(())
    }

    /// The worst of what `read` finds: `read` returns how bad an answer is and the resulting fact; `None` for no answer.
    pub(super) fn worst<B: Ord, T>(
        &self,
        keywords: &[&str],
        read: impl Fn(&Settings) -> Option<(B, T)>,
        limit: &B,
    ) -> Fact<T> {
        let mut worst: Option<(B, T)> = None;
        for settings in &self.answers {
            let Some(answer) = read(settings) else {
                return Fact::unknown(Reason::Unreadable, format!("sshd -T: {}", keywords.join(", ")));
            };
            if worst.as_ref().is_none_or(|worst| worst.0 < answer.0) {
                worst = Some(answer);
            }
        }
        let open = keywords.iter().find(|keyword| self.open.contains(**keyword));
        match (worst, &self.trouble, open) {
            // It cannot get worse than the worst.
            (Some((bad, value)), _, _) if bad >= *limit => Fact::Known(value),
            (_, Some(trouble), _) => Fact::Unknown(trouble.clone()),
            (_, None, Some(keyword)) => Fact::unknown(Reason::Unreadable, format!("a Match block sets {keyword}")),
            (Some((_, value)), None, None) => Fact::Known(value),
            (None, None, None) => Fact::unknown(Reason::SourceMissing, "no server answered"),
        }
    }

    /// True when the settings `keyword` of some caller are `bad`.
    pub(super) fn any(&self, keywords: &[&str], bad: impl Fn(&Settings) -> Option<bool>) -> Fact<bool> {
        let read = |settings: &Settings| {
            let bad = !settings.is_idle() && bad(settings)?;
            Some((bad, bad))
        };
        self.worst(keywords, read, &true)
    }

    /// The public key files that let somebody in without a password, in the notation of `AuthorizedKeysFile`. Unknown when there may be
    /// other ways in that need no password.
    pub(in crate::linux) fn key_files(&self) -> Fact<Vec<String>> {
        let shipped = || SHIPPED_KEY_FILES.split_ascii_whitespace().map(str::to_owned).collect();
        match &self.trouble {
            _ if !self.installed => return Fact::Known(Vec::new()),
            // It may be started at any time, and a stopped one cannot always be asked.
            Some(_) if !self.serves => return Fact::Known(shipped()),
            Some(trouble) => return Fact::Unknown(trouble.clone()),
            None => {}
        }
        if self.open.iter().any(|keyword| keyword.starts_with("authorizedkeys") || keyword == "trustedusercakeys") {
            return Fact::unknown(Reason::Unreadable, "a Match block names other files of keys");
        }
        let says = |settings: &Settings, keyword: &str| settings.value(keyword).is_some_and(yes);
        let mut files = Vec::new();
        for settings in &self.answers {
            let set = |keyword: &&str| settings.value(keyword).is_some_and(|value| value != "none");
            let other = ["authorizedkeyscommand", "trustedusercakeys"].iter().find(|keyword| set(keyword));
            let ways = ["hostbasedauthentication", "gssapiauthentication", "kerberosauthentication"];
            if let Some(way) = other.or_else(|| ways.iter().find(|keyword| says(settings, keyword))) {
                return Fact::unknown(Reason::NoReader, format!("SSH lets in by {way} too"));
            }
            if settings.value("pubkeyauthentication").is_none_or(yes) {
                let own = settings.value("authorizedkeysfile").unwrap_or(SHIPPED_KEY_FILES);
                files.extend(own.split_ascii_whitespace().filter(|file| *file != "none").map(str::to_owned));
            }
        }
        files.sort_unstable();
        files.dedup();
        Fact::Known(files)
    }

    /// True when a server runs, or starts on demand.
    pub(in crate::linux) fn serves(&self) -> bool {
        self.serves
    }

    /// True when all of them record wrong passwords as failed logins.
    pub(in crate::linux) fn logs_failures(&self) -> bool {
        let quiet = |settings: &Settings| {
            let is = |keyword: &str, words: &[&str]| {
                settings.value(keyword).is_some_and(|value| words.iter().any(|word| value.eq_ignore_ascii_case(word)))
            };
            is("loglevel", &["quiet", "fatal", "error"]) || !is("syslogfacility", &["auth", "authpriv"])
        };
        !self.serves || (self.trouble.is_none() && !self.open.contains("loglevel") && !self.answers.iter().any(quiet))
    }

    /// True when none of them lets root in.
    pub(in crate::linux) fn shuts_root_out(&self) -> bool {
        let refused = |settings: &Settings| settings.value("permitrootlogin") == Some("no");
        self.trouble.is_none()
            && self.open.is_empty()
            && self.answers.iter().filter(|settings| settings.of_root()).all(refused)
    }

    /// True when a password locked with `!` also blocks keys: a server without PAM checks for that mark itself.
    pub(in crate::linux) fn lock_shuts_keys_out(&self) -> bool {
        self.trouble.is_none()
            && self.open.is_empty()
            && self.answers.iter().all(|settings| settings.value("usepam").is_some_and(|value| !yes(value)))
    }
}

fn cause(error: &OsError) -> Unknown {
    match unknown::<()>(error) {
        Fact::Unknown(unknown) => unknown,
        Fact::Known(()) => Unknown { reason: Reason::Unreadable, detail: String::new() },
    }
}

/// The server's printed settings. Newer servers also print them where a full test is refused because their folder under `/run`
/// is only created with the first connection, or because their keys cannot be read.
fn print(context: &CheckContext, options: &[String], caller: Option<&Caller>) -> Result<String, Unknown> {
    let ask = |modes: &[&str]| -> Answer<Output> {
        let mut arguments = modes.to_vec();
        arguments.extend(options.iter().map(String::as_str));
        let specification = caller.map(Caller::specification);
        if let Some(specification) = &specification {
            arguments.extend(["-C", specification]);
        }
        context.os.run(Program::Sshd, &arguments)
    };
    let whole = |output: &Output| output.status == Some(0) && !output.cut;
    let test = ask(&["-T"]).map_err(|error| cause(&error))?;
    if whole(&test) {
        return Ok(test.stdout);
    }
    match ask(&["-T", "-G"]) {
        Ok(output) if whole(&output) => Ok(output.stdout),
        _ if !context.os.administrator() => {
            Err(Unknown { reason: Reason::NeedsAdministrator, detail: "sshd -T".to_owned() })
        }
        _ => {
            let said = test.stderr.lines().next().unwrap_or_default();
            Err(Unknown { reason: Reason::Unreadable, detail: format!("sshd -T: {}", capped(&place(said))) })
        }
    }
}

/// The server's complaint about a line of its file, without that line's content, which is private.
fn place(said: &str) -> String {
    match said.split_once(" line ") {
        Some((file, rest)) => {
            let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
            format!("{file} line {number}")
        }
        None => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_file_is_not_repeated() {
        assert_eq!(
            place("/etc/ssh/sshd_config: line 12: Bad configuration option: matkhau"),
            "/etc/ssh/sshd_config: line 12"
        );
        assert_eq!(
            place("Missing privilege separation directory: /run/sshd"),
            "Missing privilege separation directory: /run/sshd"
        );
    }
}
