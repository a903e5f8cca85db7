//! The settings that the SSH servers of this machine report, for everyone who may connect. They are asked in `remote::ssh`.

use std::collections::{BTreeMap, BTreeSet};

use policies::fact::{Fact, Reason, Unknown};

use crate::linux::text::yes;

/// Where keys are looked for by default.
const SHIPPED_KEY_FILES: &str = ".ssh/authorized_keys .ssh/authorized_keys2";

/// The servers' answers.
pub(super) struct Ssh {
    pub(super) serves: bool,
    /// True when a server is present, running or not.
    pub(super) installed: bool,
    /// One answer per server and kind of caller.
    pub(super) answers: Vec<Settings>,
    /// Why some server's answer is missing.
    pub(super) trouble: Option<Unknown>,
    /// Keywords that a `Match` block sets for callers who cannot be simulated.
    pub(super) open: BTreeSet<String>,
}

/// What `sshd -T` prints for one caller: keywords in lower case with their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// The caller's account; `None` for everyone.
    user: Option<String>,
    values: BTreeMap<String, String>,
}

impl Settings {
    /// What was printed to `user`, or to everyone.
    pub(super) fn printed(text: &str, user: Option<String>) -> Self {
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
    pub(super) fn key_files(&self) -> Fact<Vec<String>> {
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
    pub(super) fn serves(&self) -> bool {
        self.serves
    }

    /// True when all of them record wrong passwords as failed logins.
    pub(super) fn logs_failures(&self) -> bool {
        let quiet = |settings: &Settings| {
            let is = |keyword: &str, words: &[&str]| {
                settings.value(keyword).is_some_and(|value| words.iter().any(|word| value.eq_ignore_ascii_case(word)))
            };
            is("loglevel", &["quiet", "fatal", "error"]) || !is("syslogfacility", &["auth", "authpriv"])
        };
        !self.serves || (self.trouble.is_none() && !self.open.contains("loglevel") && !self.answers.iter().any(quiet))
    }

    /// True when none of them lets root in.
    pub(super) fn shuts_root_out(&self) -> bool {
        let refused = |settings: &Settings| settings.value("permitrootlogin") == Some("no");
        self.trouble.is_none()
            && self.open.is_empty()
            && self.answers.iter().filter(|settings| settings.of_root()).all(refused)
    }

    /// True when a password locked with `!` also blocks keys: a server without PAM checks for that mark itself.
    pub(super) fn lock_shuts_keys_out(&self) -> bool {
        self.trouble.is_none()
            && self.open.is_empty()
            && self.answers.iter().all(|settings| settings.value("usepam").is_some_and(|value| !yes(value)))
    }
}
