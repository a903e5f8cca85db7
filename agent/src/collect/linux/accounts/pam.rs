//! What PAM demands of passwords and when it locks an account: its stacks and the files of the modules in them.

use policies::fact::{Fact, Reason, Seconds};

use crate::collect::linux::scene::{Scene, unknown};
use crate::collect::linux::text::lines;
use crate::os::{Answer, OsError};

/// Demands on a new password.
pub(super) struct PasswordRules {
    /// Shortest accepted.
    pub(super) min_length: Fact<i64>,
    /// Kinds of characters needed.
    pub(super) min_classes: Fact<i64>,
}

/// Locking after wrong tries.
pub(super) struct Lockout {
    /// How many; 0 for never.
    pub(super) tries: Fact<i64>,
    /// For how long; 0 until an administrator unlocks.
    pub(super) time: Fact<Seconds>,
}

/// One line of a stack: kind, module, arguments.
struct Line {
    kind: String,
    module: String,
    arguments: Vec<String>,
}

impl Line {
    fn argument(&self, key: &str) -> Option<&str> {
        self.arguments.iter().rev().find_map(|argument| argument.strip_prefix(key)?.strip_prefix('='))
    }

    fn has(&self, word: &str) -> bool {
        self.arguments.iter().any(|argument| argument == word)
    }
}

/// The shared stack of Debian's (`common-*`) or Red Hat's (`system-auth`) kind.
fn stack(scene: &Scene, debian: &str) -> Answer<Vec<Line>> {
    let missing = || Err(OsError::Missing(format!("/etc/pam.d/{debian}")));
    [format!("/etc/pam.d/{debian}"), "/etc/pam.d/system-auth".to_owned(), "/usr/lib/pam.d/system-auth".to_owned()]
        .iter()
        .find_map(|path| match scene.text(path) {
            Err(OsError::Missing(_)) => None,
            answer => Some(answer.map(|text| read_stack(&text))),
        })
        .unwrap_or_else(missing)
}

/// `kind control module arguments`; a control may be a list in brackets.
fn read_stack(text: &str) -> Vec<Line> {
    let joined = text.replace("\\\n", " ");
    let line = |line: &str| {
        let (kind, rest) = line.split_once(char::is_whitespace)?;
        let rest = rest.trim_start();
        let rest =
            if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest.split_once(char::is_whitespace)?.1 };
        let mut words = rest.split_ascii_whitespace();
        let module = words.next()?.rsplit('/').next()?.to_owned();
        let arguments = words.take_while(|word| !word.starts_with('#')).map(str::to_owned).collect();
        Some(Line { kind: kind.trim_start_matches('-').to_lowercase(), module, arguments })
    };
    lines(&joined).filter_map(line).collect()
}

/// `key = value` files with drop-ins; the later wins.
fn settings(scene: &Scene, file: &str, folder: &str) -> Answer<Vec<(String, String)>> {
    let mut texts = Vec::new();
    match scene.text(file) {
        Ok(text) => texts.push(text),
        Err(OsError::Missing(_)) => {}
        Err(error) => return Err(error),
    }
    texts.extend(scene.texts(folder, ".conf")?.into_iter().map(|(_, text)| text));
    let pair = |line: &str| match line.split_once('=') {
        Some((key, value)) => (key.trim().to_owned(), value.trim().to_owned()),
        None => (line.to_owned(), String::new()),
    };
    Ok(texts.iter().flat_map(|text| lines(text)).map(pair).collect())
}

pub(super) fn password_rules(scene: &Scene) -> PasswordRules {
    match read_password_rules(scene) {
        Ok((min_length, min_classes)) => PasswordRules { min_length, min_classes: Fact::Known(min_classes) },
        Err(error) => PasswordRules { min_length: unknown(&error), min_classes: unknown(&error) },
    }
}

fn read_password_rules(scene: &Scene) -> Answer<(Fact<i64>, i64)> {
    let lines = stack(scene, "common-password")?;
    let find =
        |names: &[&str]| lines.iter().find(|line| line.kind == "password" && names.contains(&line.module.as_str()));
    if let Some(line) = find(&["pam_pwquality.so", "pam_cracklib.so"]) {
        let written = settings(scene, "/etc/security/pwquality.conf", "/etc/security/pwquality.conf.d")?;
        let number = |key: &str| {
            let own = line.argument(key).map(str::to_owned);
            let file = || written.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.clone());
            let reads_file = line.module == "pam_pwquality.so";
            own.or_else(|| file().filter(|_| reads_file)).and_then(|value| value.parse::<i64>().ok())
        };
        // Not enforcing: it warns and lets pass.
        if number("enforcing") != Some(0) {
            let cracklib = line.module == "pam_cracklib.so";
            // A credit makes a password of that kind count as longer; a negative one demands the kind. cracklib credits 1 each.
            let credits =
                ["dcredit", "ucredit", "lcredit", "ocredit"].map(|key| number(key).unwrap_or(i64::from(cracklib)));
            let gained: i64 = credits.iter().filter(|credit| **credit > 0).sum();
            let demanded = credits.iter().filter(|credit| **credit < 0).count();
            let length = number("minlen").unwrap_or(if cracklib { 9 } else { 8 }).saturating_sub(gained).max(6);
            let classes = number("minclass").unwrap_or(0).max(i64::try_from(demanded).unwrap_or(4)).clamp(0, 4);
            return Ok((Fact::Known(length), classes));
        }
    }
    let length = find(&["pam_unix.so"]).and_then(|line| {
        let set = line.argument("minlen").and_then(|value| value.parse().ok());
        // Debian's word for its own checks, which begin at six characters.
        set.or_else(|| line.has("obscure").then_some(6))
    });
    let unset = || Fact::unknown(Reason::SourceMissing, "no module in the password stack states a length");
    Ok((length.map_or_else(unset, Fact::Known), 0))
}

pub(super) fn lockout(scene: &Scene) -> Lockout {
    match read_lockout(scene) {
        Ok(Some((tries, time))) => {
            let time = if tries == 0 {
                Fact::unknown(Reason::SourceMissing, "accounts are never locked")
            } else {
                Fact::Known(Seconds(time))
            };
            Lockout { tries: Fact::Known(tries), time }
        }
        Ok(None) => Lockout {
            tries: Fact::Known(0),
            time: Fact::unknown(Reason::SourceMissing, "no module in the login stack locks accounts"),
        },
        Err(error) => Lockout { tries: unknown(&error), time: unknown(&error) },
    }
}

/// Tries and seconds, when a locking module stands in the stack. faillock counts only where it is told of failures.
fn read_lockout(scene: &Scene) -> Answer<Option<(i64, i64)>> {
    let lines = stack(scene, "common-auth")?;
    let counts = |line: &&Line| line.kind == "auth" && line.module == "pam_faillock.so" && line.has("authfail");
    if let Some(line) = lines.iter().find(counts) {
        let written = settings(scene, "/etc/security/faillock.conf", "/etc/security/faillock.conf.d")?;
        let value = |key: &str| {
            let file = || written.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.clone());
            line.argument(key).map(str::to_owned).or_else(file)
        };
        let tries = value("deny").and_then(|value| value.parse().ok()).unwrap_or(3);
        let time = match value("unlock_time").as_deref() {
            Some("never") => 0,
            Some(seconds) => seconds.parse().unwrap_or(600),
            None => 600,
        };
        return Ok(Some((tries, time)));
    }
    let tally = lines.iter().find(|line| line.kind == "auth" && line.module.starts_with("pam_tally"));
    Ok(tally.map(|line| {
        let number = |key: &str| line.argument(key).and_then(|value| value.parse().ok()).unwrap_or(0);
        (number("deny"), number("unlock_time"))
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    const DEBIAN_12: &str = "# here are the per-package modules (the \"Primary\" block)\npassword\t[success=1 default=ignore]\tpam_unix.so obscure yescrypt\n\
        password\trequisite\t\t\tpam_deny.so\npassword\trequired\t\t\tpam_permit.so\n";
    const PWQUALITY: &str = "password  requisite  pam_pwquality.so retry=3\npassword [success=1 default=ignore] pam_unix.so obscure use_authtok yescrypt\n";
    const ALMA_9: &str = "auth        required      pam_env.so\nauth        required      pam_faillock.so preauth silent\n\
        auth        sufficient    pam_unix.so nullok\nauth        required      pam_faillock.so authfail\nauth        required      pam_deny.so\n\
        password    requisite     pam_pwquality.so local_users_only\npassword    sufficient    pam_unix.so sha512 shadow nullok use_authtok\n";

    fn scene(os: Recorded) -> Scene {
        Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH)
    }

    fn rules(os: Recorded) -> (Option<i64>, Option<i64>) {
        let rules = password_rules(&scene(os));
        (rules.min_length.known().copied(), rules.min_classes.known().copied())
    }

    fn locks(os: Recorded) -> (Option<i64>, Option<i64>) {
        let lockout = lockout(&scene(os));
        (lockout.tries.known().copied(), lockout.time.known().map(|time| time.0))
    }

    #[test]
    fn lengths_are_those_that_the_modules_enforce() {
        let debian = |text: &str| Recorded::new().file("/etc/pam.d/common-password", text);
        assert_eq!(rules(debian(DEBIAN_12)), (Some(6), Some(0)));
        assert_eq!(rules(debian(&DEBIAN_12.replace("obscure", "obscure minlen=10"))), (Some(10), Some(0)));
        assert_eq!(rules(debian(PWQUALITY)), (Some(8), Some(0)));
        let configured = debian(PWQUALITY)
            .file("/etc/security/pwquality.conf", "# minlen = 8\r\nminlen = 14\r\ndcredit = -1\r\nucredit = -1\r\n")
            .file("/etc/security/pwquality.conf.d/xa.conf", "minclass = 4\n");
        assert_eq!(rules(configured), (Some(14), Some(4)));
        assert_eq!(rules(debian(&PWQUALITY.replace("retry=3", "minlen=12 dcredit=2 ocredit=-1"))), (Some(10), Some(1)));
        assert_eq!(rules(debian(&PWQUALITY.replace("retry=3", "enforcing=0 minlen=20"))), (Some(6), Some(0)));
        assert_eq!(rules(Recorded::new().file("/etc/pam.d/system-auth", ALMA_9)), (Some(8), Some(0)));
        assert_eq!(rules(debian("")), (None, Some(0)));
        assert_eq!(rules(Recorded::new()), (None, None));
    }

    #[test]
    fn lockout_needs_the_module_in_the_stack() {
        let alma = Recorded::new().file("/etc/pam.d/system-auth", ALMA_9);
        assert_eq!(locks(alma.clone()), (Some(3), Some(600)));
        assert_eq!(
            locks(alma.file("/etc/security/faillock.conf", "deny = 5\nunlock_time = never\n")),
            (Some(5), Some(0))
        );
        let only_configured = Recorded::new()
            .file(
                "/etc/pam.d/common-auth",
                "auth [success=1 default=ignore] pam_unix.so nullok\n#auth required pam_faillock.so authfail\n",
            )
            .file("/etc/security/faillock.conf", "deny = 5\n");
        assert_eq!(locks(only_configured), (Some(0), None));
        let old =
            Recorded::new().file("/etc/pam.d/common-auth", "auth required pam_tally2.so deny=4 unlock_time=900\n");
        assert_eq!(locks(old), (Some(4), Some(900)));
        assert_eq!(locks(Recorded::new()), (None, None));
    }
}
