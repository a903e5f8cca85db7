//! What PAM requires of passwords and when it locks an account: each service's stack, and the files of the modules in it.

use policies::fact::{Fact, Reason, Seconds};

use crate::linux::context::{CheckContext, found, optional, unknown};
use crate::linux::remote::ssh;
use crate::linux::text::lines;
use os::{Answer, OsError};

mod stack;

use stack::{Line, stack};

/// Requirements for a new password.
pub(super) struct PasswordRules {
    /// Minimum length accepted.
    pub(super) min_length: Fact<i64>,
    /// Character classes required.
    pub(super) min_classes: Fact<i64>,
}

/// Locking after failed attempts.
pub(super) struct Lockout {
    /// How many attempts; 0 for never.
    pub(super) tries: Fact<i64>,
    /// For how long; 0 until an administrator unlocks.
    pub(super) time: Fact<Seconds>,
}

/// The services that ask for a password; SSH counts where a server accepts logins.
const WAYS_IN: [&str; 8] = ["login", "sshd", "gdm-password", "lightdm", "sddm", "lxdm", "xrdp-sesman", "cockpit"];

/// Whether a console login opens its session with `module`.
pub(super) fn opens_sessions_with(context: &CheckContext, module: &str) -> bool {
    stack(context, &["login"])
        .is_ok_and(|lines| lines.iter().any(|line| line.kind == "session" && line.module == module))
}

/// `key = value` files; the last one wins.
fn settings(texts: &[String]) -> Vec<(String, String)> {
    let pair = |line: &str| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (key, value) =
            line.split_once(|letter: char| letter == '=' || letter.is_whitespace()).unwrap_or((line, ""));
        (key.trim().to_owned(), value.trim().trim_start_matches('=').trim().to_owned())
    };
    texts.iter().flat_map(|text| lines(text)).map(pair).collect()
}

fn last<'a>(settings: &'a [(String, String)], key: &str) -> Option<&'a str> {
    settings.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

/// The requirements of the `passwd` stack; of the shared file when there is none.
pub(super) fn password_rules(context: &CheckContext) -> PasswordRules {
    match read_password_rules(context) {
        Ok(demand) => PasswordRules {
            min_length: found(demand.length, "no module in the password stack states a length"),
            min_classes: Fact::Known(demand.classes),
        },
        Err(error) => PasswordRules { min_length: unknown(&error), min_classes: unknown(&error) },
    }
}

/// The requirements of one module, or of all together.
#[derive(Default)]
struct Demand {
    length: Option<i64>,
    classes: i64,
}

fn read_password_rules(context: &CheckContext) -> Answer<Demand> {
    let mut all = Demand::default();
    for line in stack(context, &["passwd", "common-password", "system-auth"])? {
        // An optional module's opinion on a password changes nothing.
        if line.kind != "password" || line.control == "optional" {
            continue;
        }
        let demand = match line.module.as_str() {
            "pam_pwquality.so" | "pam_cracklib.so" => quality(context, &line)?,
            "pam_passwdqc.so" => passwdqc(context, &line)?,
            "pam_unix.so" => {
                let set = line.argument("minlen").and_then(|value| value.parse().ok());
                // Debian's option for its own checks, which require at least six characters.
                Demand { length: set.or_else(|| line.has("obscure").then_some(6)), classes: 0 }
            }
            _ => continue,
        };
        all.length = all.length.max(demand.length);
        all.classes = all.classes.max(demand.classes);
    }
    Ok(all)
}

/// pwquality reads its drop-ins first, so its main file wins; options in the stack win over both.
fn quality(context: &CheckContext, line: &Line) -> Answer<Demand> {
    let cracklib = line.module == "pam_cracklib.so";
    let places = ["/etc/security/pwquality.conf.d/*.conf", "/etc/security/pwquality.conf"];
    let written = settings(&context.gathered(if cracklib { &[] } else { &places })?);
    let number =
        |key: &str| line.argument(key).or_else(|| last(&written, key)).and_then(|value| value.parse::<i64>().ok());
    // Not enforcing: it only warns.
    if number("enforcing") == Some(0) {
        return Ok(Demand::default());
    }
    // A credit makes a password with that class count as longer; a negative one requires the class. cracklib gives 1
    // credit each.
    let credits = ["dcredit", "ucredit", "lcredit", "ocredit"].map(|key| number(key).unwrap_or(i64::from(cracklib)));
    let gained: i64 = credits.iter().filter(|credit| **credit > 0).sum();
    let demanded = credits.iter().filter(|credit| **credit < 0).count();
    let length = number("minlen").unwrap_or(if cracklib { 9 } else { 8 }).saturating_sub(gained).max(6);
    let classes = number("minclass").unwrap_or(0).max(i64::try_from(demanded).unwrap_or(4)).clamp(0, 4);
    Ok(Demand { length: Some(length), classes })
}

/// `min=N0,N1,N2,N3,N4`: the minimum length for one, two, three and four character classes; N2 is for passphrases.
fn passwdqc(context: &CheckContext, line: &Line) -> Answer<Demand> {
    const SHIPPED: &str = "disabled,24,11,8,7";
    const FILE: &str = "/etc/passwdqc.conf";
    let named = line.argument("config").map(|file| context.text(file)).transpose()?;
    let unnamed = if named.is_none() { optional(context.text(FILE))? } else { None };
    let written = settings(&named.into_iter().collect::<Vec<String>>());
    let value = |key: &str| line.argument(key).or_else(|| last(&written, key)).map(str::to_owned);
    let min = value("min").unwrap_or_else(|| SHIPPED.to_owned());
    // Not every distribution's module reads this file if the stack does not name it.
    if unnamed.is_some_and(|text| last(&settings(&[text]), "min").is_some_and(|other| other != min)) {
        return Err(OsError::Failed(FILE.to_owned(), "the stack does not name it".to_owned()));
    }
    if value("enforce").as_deref() == Some("none") {
        return Ok(Demand::default());
    }
    let shortest: Vec<Option<i64>> = min.split(',').map(|word| word.trim().parse().ok()).collect();
    let [one, two, phrase, three, four] = shortest[..] else {
        return Err(OsError::Failed(FILE.to_owned(), format!("min={min}")));
    };
    // The words of a passphrase are separated by another character class.
    let classes = [(one, 1), (two.or(phrase), 2), (three, 3), (four, 4)];
    Ok(Demand {
        length: shortest.iter().flatten().min().copied(),
        classes: classes.iter().find(|(length, _)| length.is_some()).map_or(0, |(_, classes)| *classes),
    })
}

/// The weakest of the services.
pub(super) fn lockout(context: &CheckContext) -> Lockout {
    match read_lockout(context) {
        Ok(Some((tries, time))) if tries > 0 => Lockout { tries: Fact::Known(tries), time: Fact::Known(Seconds(time)) },
        Ok(found) => {
            let why =
                if found.is_some() { "accounts are never locked" } else { "not every login stack locks accounts" };
            Lockout { tries: Fact::Known(0), time: Fact::unknown(Reason::SourceMissing, why) }
        }
        Err(error) => Lockout { tries: unknown(&error), time: unknown(&error) },
    }
}

/// Attempts and seconds, when every service's stack has a locking module.
fn read_lockout(context: &CheckContext) -> Answer<Option<(i64, i64)>> {
    let mut stacks = Vec::new();
    for service in WAYS_IN.iter().filter(|service| **service != "sshd" || ssh::answers(context).serves()) {
        stacks.extend(optional(stack(context, &[service]))?);
    }
    if stacks.is_empty() {
        stacks.push(stack(context, &["common-auth", "system-auth"])?);
    }
    let mut weakest: Option<(i64, i64)> = None;
    for lines in stacks {
        let Some((tries, time)) = locks(context, &lines)? else { return Ok(None) };
        weakest = Some(match weakest {
            None => (tries, time),
            // 0 means infinite: never locked, or locked until somebody unlocks it.
            Some((others, theirs)) => (
                if tries == 0 || others == 0 { 0 } else { tries.max(others) },
                if time == 0 || (theirs != 0 && theirs < time) { theirs } else { time },
            ),
        });
    }
    Ok(weakest)
}

/// The lockout of one stack. faillock only counts where it is told of failures, and only locks where it is asked first.
fn locks(context: &CheckContext, lines: &[Line]) -> Answer<Option<(i64, i64)>> {
    let faillock = |words: &[&str]| {
        let own = |line: &&Line| line.kind == "auth" && line.module == "pam_faillock.so";
        lines.iter().filter(own).find(|line| words.iter().any(|word| line.has(word)))
    };
    if let (Some(_), Some(line)) = (faillock(&["authfail"]), faillock(&["preauth", "authsucc"])) {
        // It has no drop-ins; options in the stack win over the file.
        let file = line.argument("conf").unwrap_or("/etc/security/faillock.conf");
        let written = settings(&optional(context.text(file))?.into_iter().collect::<Vec<String>>());
        let value = |key: &str| line.argument(key).or_else(|| last(&written, key));
        let tries = value("deny").and_then(|value| value.parse().ok()).unwrap_or(3);
        let time = match value("unlock_time") {
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
    use super::*;
    use os::recorded::Recorded;

    const DEBIAN_12: &str = "# here are the per-package modules (the \"Primary\" block)\npassword\t[success=1 default=ignore]\tpam_unix.so obscure yescrypt\n\
        password\trequisite\t\t\tpam_deny.so\npassword\trequired\t\t\tpam_permit.so\n";
    const PWQUALITY: &str = "password  requisite  pam_pwquality.so retry=3\npassword [success=1 default=ignore] pam_unix.so obscure use_authtok yescrypt\n";
    const ALMA_9: &str = "auth        required      pam_env.so\nauth        required      pam_faillock.so preauth silent\n\
        auth        sufficient    pam_unix.so nullok\nauth        required      pam_faillock.so authfail\nauth        required      pam_deny.so\n\
        password    requisite     pam_pwquality.so local_users_only\npassword    sufficient    pam_unix.so sha512 shadow nullok use_authtok\n";

    fn rules(os: Recorded) -> (Option<i64>, Option<i64>) {
        let rules = password_rules(&CheckContext::of(os));
        (rules.min_length.known().copied(), rules.min_classes.known().copied())
    }

    fn locks(os: Recorded) -> (Option<i64>, Option<i64>) {
        let lockout = lockout(&CheckContext::of(os));
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
            .file("/etc/security/pwquality.conf.d/xa.conf", "minclass = 4\nminlen = 8\n");
        assert_eq!(rules(configured), (Some(14), Some(4)), "the main file is read last");
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

    #[test]
    fn passwdqc_states_a_length_for_each_number_of_classes() {
        let stack = "password requisite pam_passwdqc.so config=/etc/passwdqc.conf\n\
            password [success=1 default=ignore] pam_unix.so obscure use_authtok\n";
        let os = Recorded::new()
            .file("/etc/pam.d/common-password", stack)
            .file("/etc/passwdqc.conf", "min=disabled,disabled,16,14,14\n");
        assert_eq!(rules(os.clone()), (Some(14), Some(2)));
        let bare = os.file("/etc/pam.d/common-password", stack.replace(" config=/etc/passwdqc.conf", ""));
        assert_eq!(rules(bare.clone()), (None, None), "Debian's does not read the file, others' may");
        assert_eq!(rules(bare.file("/etc/passwdqc.conf", "")), (Some(7), Some(2)), "as the module itself has it");
    }

    #[test]
    fn the_stack_of_the_service_itself_counts() {
        let os = Recorded::new()
            .file("/etc/pam.d/common-password", "password required pam_pwquality.so minlen=14\n")
            .file("/etc/pam.d/passwd", "password required pam_unix.so minlen=8\n");
        assert_eq!(rules(os.clone()), (Some(8), Some(0)));
        let including = os.file("/etc/pam.d/passwd", "@include common-password\n-password optional pam_x.so\n");
        assert_eq!(rules(including.clone()), (Some(14), Some(0)));
        let substack = including.file("/etc/pam.d/passwd", "password substack system-auth\n");
        assert_eq!(rules(substack.clone()), (None, None), "what it includes is not there");
        let there =
            substack.file("/etc/pam.d/system-auth", "auth required pam_x.so\npassword required pam_unix.so minlen=9\n");
        assert_eq!(rules(there), (Some(9), Some(0)));
        assert_eq!(rules(Recorded::new().file("/etc/pam.d/passwd", "@include passwd\n")), (None, None));
    }

    const FAILLOCK: &str = "auth required pam_faillock.so preauth deny=4\nauth sufficient pam_unix.so\n\
        auth [default=die] pam_faillock.so authfail deny=4\n";

    #[test]
    fn each_way_in_must_lock_and_the_weakest_counts() {
        let os = Recorded::new().file("/etc/pam.d/login", FAILLOCK);
        assert_eq!(locks(os.clone()), (Some(4), Some(600)));
        let graphical = os.file("/etc/pam.d/gdm-password", "auth required pam_unix.so\n");
        assert_eq!(locks(graphical.clone()), (Some(0), None));
        let both = graphical.file("/etc/pam.d/gdm-password", FAILLOCK.replace("deny=4", "deny=9 unlock_time=60"));
        assert_eq!(locks(both), (Some(9), Some(60)));
        let counting = Recorded::new().file("/etc/pam.d/login", FAILLOCK.replace("preauth", "x"));
        assert_eq!(locks(counting), (Some(0), None), "it counts and never refuses");
    }

    #[test]
    fn faillock_has_no_drop_ins() {
        let os = Recorded::new()
            .file("/etc/pam.d/login", FAILLOCK.replace(" deny=4", ""))
            .file("/etc/security/faillock.conf", "deny = 5\n")
            .file("/etc/security/faillock.conf.d/x.conf", "deny = 3\n");
        assert_eq!(locks(os), (Some(5), Some(600)));
    }
}
