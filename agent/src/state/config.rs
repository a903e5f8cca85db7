//! The agent's configuration: `agent.toml` in the state folder, or the file given with `--config`. Read at start and
//! again when it changes; errors name the line. Every key is optional.

use std::path::{Path, PathBuf};
use std::time::Duration;

use policies::text;
use policies::text::Text;
use serde::Deserialize;

/// The file in the state folder.
const FILE: &str = "agent.toml";
/// The most bytes of a configuration file.
const MOST: u64 = 64 * 1024;

/// Everything a person can set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The server and how to reach it.
    pub server: ServerConfig,
    /// The time between full checks.
    pub schedule: ScheduleConfig,
    /// How much to keep while the server is unreachable.
    pub spool: SpoolConfig,
}

/// `[server]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// `HOST:PORT` to dial instead of the address given at enrolment. The server is recognised by its certificate, whatever
    /// the address. Default: the address given at enrolment.
    pub address: Option<String>,
    /// `http://HOST:PORT` of a proxy to use. The environment's proxy variables are ignored. Default: none.
    pub proxy: Option<String>,
}

/// `[schedule]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// Minutes from one full check to the next, 15 to 1440. Default: 240.
    pub full_check_minutes: u64,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self { full_check_minutes: 240 }
    }
}

impl ScheduleConfig {
    /// The time from one full check to the next.
    pub fn full_check(&self) -> Duration {
        Duration::from_secs(self.full_check_minutes * 60)
    }
}

/// `[spool]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolConfig {
    /// The most mebibytes of undelivered reports to keep, 1 to 1024. Default: 16, more than a year for an unchanging
    /// machine.
    pub most_mebibytes: u64,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self { most_mebibytes: 16 }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is not valid TOML for a configuration; the message gives line and column.
    #[error("{path}: {message}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
}

impl ConfigError {
    /// The error message for people, in both languages.
    pub fn text(&self) -> Text {
        match self {
            Self::Unreadable { path, source } => text!(
                "không đọc được tệp cấu hình {0}: {source}",
                "cannot read the configuration {0}: {source}",
                path.display()
            ),
            Self::Invalid { path, message } => text!(
                "tệp cấu hình {0} chưa đúng: {message}",
                "the configuration {0} is not valid: {message}",
                path.display()
            ),
        }
    }
}

/// Path of the configuration: the file `named`, or the one in the folder `state`.
pub fn path(state: &Path, named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| state.join(FILE), Path::to_owned)
}

impl Config {
    /// Reads the file at `path`; the defaults when it does not exist.
    ///
    /// # Errors
    /// When the file exists but cannot be used.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(ConfigError::Unreadable { path: path.to_owned(), source }),
            Ok(metadata) if metadata.len() > MOST => {
                return Err(ConfigError::Invalid {
                    path: path.to_owned(),
                    message: format!("it has {} bytes, allowed are {MOST}", metadata.len()),
                });
            }
            Ok(_) => {}
        }
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::read(&text).map_err(|message| ConfigError::Invalid { path: path.to_owned(), message })
    }

    /// Parses and validates a configuration.
    ///
    /// # Errors
    /// What is wrong, with line and column where TOML gives them.
    pub fn read(text: &str) -> Result<Self, String> {
        toml::from_str::<Self>(text).map_err(|error| error.to_string())?.validate()
    }

    /// Checks what the types cannot express.
    fn validate(self) -> Result<Self, String> {
        if !(15..=1440).contains(&self.schedule.full_check_minutes) {
            return Err(format!(
                "schedule.full_check_minutes is {}, allowed are 15 to 1440",
                self.schedule.full_check_minutes
            ));
        }
        if !(1..=1024).contains(&self.spool.most_mebibytes) {
            return Err(format!("spool.most_mebibytes is {}, allowed are 1 to 1024", self.spool.most_mebibytes));
        }
        if let Some(address) = &self.server.address {
            server_address(address).map_err(|error| format!("server.address: {error}"))?;
        }
        if let Some(proxy) = &self.server.proxy {
            let rest = proxy.strip_prefix("http://").ok_or("server.proxy must begin with http://")?;
            server_address(rest.trim_end_matches('/')).map_err(|error| format!("server.proxy: {error}"))?;
        }
        Ok(self)
    }
}

/// The text is not `HOST:PORT`.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not HOST:PORT, such as server.example:8443 or [2001:db8::1]:8443")]
pub struct NotAnAddress(String);

/// Checks that `text` is `HOST:PORT` and nothing else (no scheme, path or user).
///
/// # Errors
/// When it is not.
pub fn server_address(text: &str) -> Result<&str, NotAnAddress> {
    let refused = || NotAnAddress(text.chars().take(100).collect());
    let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
    let port: u16 = port.parse().map_err(|_| refused())?;
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_is_fine = match inner {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.len() <= 253
                && host
                    .chars()
                    .all(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_'))
        }
    };
    if port == 0 || !host_is_fine { Err(refused()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_gives_the_defaults_that_the_comments_promise() {
        let config = Config::read("").unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(config.schedule.full_check(), Duration::from_secs(4 * 60 * 60));
        assert_eq!(config.spool.most_mebibytes, 16);
        assert_eq!(Config::load(Path::new("/nonexistent/agent.toml")).unwrap(), config);
    }

    #[test]
    fn the_shipped_file_is_valid_and_states_the_defaults() {
        let shipped = include_str!("../../packaging/agent.toml");
        assert_eq!(Config::read(shipped).unwrap(), Config::default());
        let stated: String = shipped
            .lines()
            .map(|line| {
                line.strip_prefix('#').filter(|line| line.contains(" = ") && !line.starts_with(' ')).unwrap_or(line)
            })
            .map(|line| format!("{line}\n"))
            .collect();
        let stated = Config::read(&stated).unwrap();
        assert_eq!((stated.schedule, stated.spool), (ScheduleConfig::default(), SpoolConfig::default()));
        assert!(stated.server.address.is_some() && stated.server.proxy.is_some());
    }

    #[test]
    fn mistakes_are_named_where_they_stand() {
        let error = Config::read("[schedule]\nfull_chek_minutes = 5\n").unwrap_err();
        assert!(error.contains("line 2") && error.contains("full_chek_minutes"), "{error}");
        assert!(Config::read("[schedule]\nfull_check_minutes = 5").unwrap_err().contains("15 to 1440"));
        assert!(Config::read("[server]\nproxy = \"socks5://a:1\"").is_err());
        assert!(Config::read("[server]\naddress = \"https://a:1\"").is_err());
        assert!(Config::read("[spool]\nmost_mebibytes = 0").is_err());
    }

    #[test]
    fn addresses_are_host_and_port_only() {
        for good in ["may-chu.xa.gov.vn:8443", "127.0.0.1:1", "[::1]:443"] {
            assert!(server_address(good).is_ok(), "{good}");
        }
        for bad in ["", "host", "host:0", "host:99999", "user@host:1", "host/path:1", "[x]:1", ":1", "a b:1"] {
            assert!(server_address(bad).is_err(), "{bad}");
        }
    }
}
