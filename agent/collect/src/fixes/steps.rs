//! The effects of the commands in a card's steps, for the commands a program can interpret: `reg`, `sc config`, `net start`,
//! `net stop`, `net accounts` and `wevtutil sl Security` on Windows, `systemctl enable` of timers on Linux. Everything else is for people.

/// The effect of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// A registry value, `None` to remove it. A key that ends with `\*` stands for all keys below it.
    Value { key: String, name: String, data: Option<String> },
    /// Whether a service runs.
    Service { name: String, runs: bool },
    /// An account rule of Windows, by its field in `os.json`.
    Rule { name: &'static str, value: u64 },
    /// A timer is started with the system.
    Timer { name: String },
}

impl Effect {
    /// What is changed: the name of the value, service, rule or timer.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Value { key, name, .. } if name == "Start" => key.rsplit('\\').next().unwrap_or_default(),
            Self::Value { name, .. } | Self::Service { name, .. } | Self::Timer { name } => name,
            Self::Rule { name, .. } => name,
        }
    }

    fn target(&self) -> (&str, &str) {
        match self {
            Self::Value { key, name, .. } => (key, name),
            Self::Service { name, .. } => ("service", name),
            Self::Rule { name, .. } => ("rule", name),
            Self::Timer { name } => ("timer", name),
        }
    }
}

/// The effects of all steps together; the last one on a value or service wins.
pub(super) fn effects<'s>(steps: impl Iterator<Item = &'s str>) -> Vec<Effect> {
    let all = read(&steps.flat_map(|step| words(&spread(step))).collect::<Vec<_>>());
    let last = |at: usize| all[at + 1..].iter().all(|later| later.target() != all[at].target());
    (0..all.len()).filter(|at| last(*at)).map(|at| all[at].clone()).collect()
}

/// Expands a loop (`for %s in (BFE MpsSvc) do ...`): the step with its body once per item.
fn spread(step: &str) -> String {
    let Some((before, rest)) = step.split_once("for %").or_else(|| step.split_once("for /f %")) else {
        return step.to_owned();
    };
    let parts = rest.split_once(" in (").and_then(|(name, rest)| Some((name, rest.split_once(") do ")?)));
    let Some((name, (items, body))) = parts else { return step.to_owned() };
    let items = match items.strip_prefix("'reg query ") {
        Some(key) => vec![format!(r"{}\*", key.trim_end_matches('\''))],
        None => items.split(' ').map(str::to_owned).collect(),
    };
    let bodies = items.iter().map(|item| format!(" ; {}", body.replace(&format!("%{name}"), item)));
    before.to_owned() + &bodies.collect::<String>()
}

/// Splits into words, quoted text as one word, without the punctuation of the sentence.
fn words(text: &str) -> Vec<String> {
    let pieces = text.split('"').enumerate();
    let words = pieces.flat_map(|(at, piece)| match at % 2 {
        1 => vec![piece],
        _ => piece.split_whitespace().collect(),
    });
    words.map(|word| word.trim_start_matches('(').trim_end_matches([',', ';', '.', ')']).to_owned()).collect()
}

fn read(words: &[String]) -> Vec<Effect> {
    let at = |at: usize| words.get(at).map_or("", String::as_str);
    let mut found = Vec::new();
    let (mut verb, mut key, mut name) = ("", "", "");
    for (here, word) in words.iter().enumerate() {
        let next = |by: usize| at(here + by);
        let value = |data: Option<&str>| Effect::Value {
            key: key.to_owned(),
            name: name.to_owned(),
            data: data.map(str::to_owned),
        };
        match word.as_str() {
            "reg" => (verb, key) = (next(1), next(2)),
            "/v" => name = next(1),
            "/d" if verb == "add" => found.push(value(Some(next(1)))),
            "/f" if verb == "delete" => found.push(value(None)),
            "sc" if next(1) == "config" && next(3) == "start=" => found.push(Effect::Value {
                key: format!(r"HKLM\SYSTEM\CurrentControlSet\Services\{}", next(2)),
                name: "Start".to_owned(),
                data: Some(start(next(4)).to_owned()),
            }),
            "net" if matches!(next(1), "start" | "stop") => {
                found.push(Effect::Service { name: next(2).to_owned(), runs: next(1) == "start" });
            }
            "net" if next(1) == "accounts" => found.extend(rule(next(2))),
            "wevtutil" if next(1) == "sl" && next(2) == "Security" => {
                found.extend(words[here..].iter().skip(3).map_while(|word| log(word)));
            }
            "enable" if here > 0 && at(here - 1) == "systemctl" => {
                let units = words[here..].iter().skip(1).filter(|word| *word != "--now");
                let timers = units.take_while(|word| word.ends_with(".timer"));
                found.extend(timers.map(|name| Effect::Timer { name: name.clone() }));
            }
            _ => {}
        }
    }
    found
}

fn start(mode: &str) -> &'static str {
    match mode {
        "auto" => "2",
        "demand" => "3",
        "disabled" => "4",
        other => panic!("start= {other}"),
    }
}

/// `/minpwlen:14`; times in the units that Windows stores.
fn rule(option: &str) -> Option<Effect> {
    let (option, value) = option.split_once(':')?;
    let value: u64 = value.parse().ok()?;
    let (name, value) = match option {
        "/minpwlen" => ("min_length", value),
        "/maxpwage" => ("max_age", value * 86_400),
        "/lockoutthreshold" => ("lockout_tries", value),
        "/lockoutduration" => ("lockout_time", value * 60),
        _ => return None,
    };
    Some(Effect::Rule { name, value })
}

/// `/ms:1073741824`, `/rt:true`, `/ab:true`: the registry value Windows writes for it.
fn log(option: &str) -> Option<Effect> {
    let (name, data) = match option.split_once(':')? {
        ("/ms", bytes) => ("MaxSize", bytes),
        ("/rt", "true") => ("Retention", "4294967295"),
        ("/ab", "true") => ("AutoBackupLogFiles", "1"),
        _ => return None,
    };
    let key = r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Security".to_owned();
    Some(Effect::Value { key, name: name.to_owned(), data: Some(data.to_owned()) })
}

#[test]
fn commands_are_read_out_of_sentences() {
    let read = |step: &str| {
        let shown = effects([step].into_iter()).into_iter().map(|effect| match effect {
            Effect::Value { key, name, data } => format!("{key}:{name}={}", data.unwrap_or_default()),
            Effect::Service { name, runs } => format!("{name} {runs}"),
            Effect::Rule { name, value } => format!("{name} {value}"),
            Effect::Timer { name } => name,
        });
        shown.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        read(r#"Type: reg add "HKLM\A B" /v x /t REG_DWORD /d 0 /f, and again with: /v y /t REG_DWORD /d 4 /f."#),
        r"HKLM\A B:x=0 HKLM\A B:y=4"
    );
    assert_eq!(
        read(r"for %s in (A B) do reg add HKLM\%s /v Start /t REG_DWORD /d 2 /f, restart"),
        r"HKLM\A:Start=2 HKLM\B:Start=2"
    );
    assert_eq!(read(r"for /f %k in ('reg query HKLM\I') do reg add %k /v o /t REG_DWORD /d 2 /f"), r"HKLM\I\*:o=2");
    assert_eq!(read(r"type: reg delete HKLM\A /v x /f (ignore what is not found)"), r"HKLM\A:x=");
    assert_eq!(read("Type: net stop w32time, type: net start w32time, wait for all of it"), "w32time true");
    assert_eq!(read("Type: net accounts /lockoutduration:720 (720 minutes are 12 hours)."), "lockout_time 43200");
    assert_eq!(read("sudo systemctl enable --now a.timer b.timer"), "a.timer b.timer");
    assert_eq!(read(r"type reg query HKLM\A /v x to see it"), "");
}
