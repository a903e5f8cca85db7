//! apt's configuration (`apt.conf(5)`) and whether security updates install themselves.

use policies::fact::Fact;

use crate::collect::linux::scene::{Scene, unknown};
use crate::os::{Answer, OsError};

/// Every `Name::Of::Option` with its values, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Configuration(Vec<(String, String)>);

impl Configuration {
    /// The last value of an option; names are not case-sensitive.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values of a list option.
    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let start = format!("{}::", name.to_ascii_lowercase());
        self.0
            .iter()
            .filter(move |(known, _)| known.to_ascii_lowercase().starts_with(&start))
            .map(|(_, value)| value.as_str())
    }

    /// `Name "value";`, `Name::Part { Other "value"; };`, lists of bare values; comments of three kinds.
    fn add(&mut self, text: &str) {
        let mut scopes: Vec<String> = Vec::new();
        let mut words: Vec<String> = Vec::new();
        let end = |words: &mut Vec<String>, scopes: &[String], into: &mut Vec<(String, String)>| {
            let scope = scopes.join("::");
            match &words[..] {
                [value] if !scope.is_empty() => into.push((format!("{scope}::"), value.clone())),
                [name, value] => {
                    let name = if scope.is_empty() { name.clone() } else { format!("{scope}::{name}") };
                    into.push((name, value.clone()));
                }
                _ => {}
            }
            words.clear();
        };
        for token in tokens(text) {
            match token {
                Token::Word(word) => words.push(word),
                Token::Open => {
                    scopes.push(words.first().cloned().unwrap_or_default());
                    words.clear();
                }
                Token::Close => {
                    end(&mut words, &scopes, &mut self.0);
                    scopes.pop();
                }
                Token::End => end(&mut words, &scopes, &mut self.0),
            }
        }
    }
}

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skip = |mark: &str| rest.find(mark).map_or("", |position| &rest[position + mark.len()..]);
        rest = match first {
            _ if rest.starts_with("//") || first == '#' => skip("\n"),
            _ if rest.starts_with("/*") => skip("*/"),
            '"' => {
                let inner = &rest[1..];
                let end = inner.find('"').unwrap_or(inner.len());
                tokens.push(Token::Word(inner[..end].to_owned()));
                inner.get(end + 1..).unwrap_or_default()
            }
            '{' | '}' | ';' => {
                tokens.push(match first {
                    '{' => Token::Open,
                    '}' => Token::Close,
                    _ => Token::End,
                });
                &rest[1..]
            }
            _ if first.is_whitespace() => rest.trim_start(),
            _ => {
                let stop = |character: char| character.is_whitespace() || ['{', '}', ';', '"'].contains(&character);
                let end = rest.find(stop).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
        };
    }
    tokens
}

/// The configuration files, in the order apt reads them.
pub(super) fn files(scene: &Scene) -> Vec<String> {
    let used = |name: &str| !name.starts_with('.') && (!name.contains('.') || name.ends_with(".conf"));
    let mut paths = super::files(scene, "/etc/apt/apt.conf.d", used);
    paths.push("/etc/apt/apt.conf".to_owned());
    paths
}

/// Reads all of it.
pub(super) fn read(scene: &Scene) -> Answer<Configuration> {
    let mut configuration = Configuration::default();
    for path in files(scene) {
        match scene.text(&path) {
            Ok(text) => configuration.add(&text),
            Err(OsError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(configuration)
}

/// True when lists are fetched and unattended-upgrades installs what is in the security archive, and something starts it.
pub(super) fn automatic(scene: &Scene) -> Fact<bool> {
    let configuration = match read(scene) {
        Ok(configuration) => configuration,
        Err(error) => return unknown(&error),
    };
    let on = |name: &str| {
        let value = configuration.get(&format!("APT::Periodic::{name}")).unwrap_or("0");
        !["0", "", "false", "no"].contains(&value)
    };
    let enabled = configuration.get("APT::Periodic::Enable").is_none_or(|value| value != "0");
    let installs = enabled && on("Unattended-Upgrade") && on("Update-Package-Lists");
    let program =
        ["/usr/bin/unattended-upgrade", "/usr/bin/unattended-upgrades"].iter().any(|path| scene.os.exists(path));
    let mut origins = ["Unattended-Upgrade::Origins-Pattern", "Unattended-Upgrade::Allowed-Origins"]
        .into_iter()
        .flat_map(|name| configuration.all(name))
        .map(str::to_lowercase)
        .peekable();
    let security = origins.peek().is_none() || origins.any(|origin| origin.contains("security"));
    Fact::Known(installs && program && security && started(scene))
}

/// By systemd's timer, or by cron on a machine without systemd.
fn started(scene: &Scene) -> bool {
    if scene.systemd() {
        let masked =
            scene.os.link("/etc/systemd/system/apt-daily-upgrade.timer").is_ok_and(|target| target == "/dev/null");
        return scene.unit_enabled("apt-daily-upgrade.timer") && !masked;
    }
    scene.os.exists("/etc/cron.daily/apt-compat") && scene.runs_any(&["cron", "crond", "anacron"])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::os::recorded::Recorded;

    const ORIGINS: &str = "Unattended-Upgrade::Origins-Pattern {\n // \"origin=Debian,codename=x\";\n\t\"origin=Debian,codename=${distro_codename},label=Debian-Security\";\n};\n";

    fn machine(periodic: &str) -> Recorded {
        Recorded::new()
            .file("/etc/apt/apt.conf.d/20auto-upgrades", periodic)
            .file("/etc/apt/apt.conf.d/50unattended-upgrades", ORIGINS)
            .file("/usr/bin/unattended-upgrade", "")
            .folder("/run/systemd/system")
            .symlink(
                "/etc/systemd/system/timers.target.wants/apt-daily-upgrade.timer",
                "/lib/systemd/system/apt-daily-upgrade.timer",
            )
    }

    fn of(os: Recorded) -> bool {
        *automatic(&Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH)).known().unwrap()
    }

    const ON: &str = "APT::Periodic::Update-Package-Lists \"1\";\r\nAPT::Periodic::Unattended-Upgrade \"1\";\r\n";

    #[test]
    fn every_part_of_the_chain_is_needed() {
        assert!(of(machine(ON)));
        assert!(of(machine("APT { Periodic { Update-Package-Lists \"1\"; Unattended-Upgrade \"7\"; }; };")));
        assert!(!of(machine("APT::Periodic::Unattended-Upgrade \"1\";")));
        assert!(!of(machine(ON).file("/etc/apt/apt.conf.d/99off", "/* off */ apt::periodic::unattended-upgrade 0;")));
        assert!(!of(machine(ON)
            .file("/etc/apt/apt.conf.d/99off.bak", "")
            .symlink("/etc/systemd/system/apt-daily-upgrade.timer", "/dev/null")));
        let other = ORIGINS.replace("label=Debian-Security", "label=Debian");
        assert!(!of(machine(ON).file("/etc/apt/apt.conf.d/50unattended-upgrades", other)));
        assert!(!of(Recorded::new()));
    }

    #[test]
    fn malformed_configurations_end() {
        for text in ["", "{", "}", "};};", "\"", "a \"b", "/*", "a { b", "APT::Default-Release"] {
            let mut configuration = Configuration::default();
            configuration.add(text);
            assert_eq!(configuration.get("APT::Default-Release"), None, "{text}");
        }
        let mut configuration = Configuration::default();
        configuration.add("APT::Default-Release \"stable\";");
        assert_eq!(configuration.get("apt::default-release"), Some("stable"));
    }
}
