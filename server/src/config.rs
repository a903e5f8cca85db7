//! `server.toml`: the settings of an administrator, read once at start and checked. Owns no secrets.

pub mod retention;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use jiff::tz::TimeZone;
use policies::text;
use protocol::limits;
use serde::{Deserialize, Serialize};

use self::retention::Retention;
use crate::bound::space::SpaceLimits;
use crate::ca::Host;
use crate::error::UserError;

/// Name of the file in the data folder.
pub const FILE: &str = "server.toml";

/// The configuration of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Format version of this file; 1.
    pub version: u32,
    /// Id of this server, generated at `init`; policies are signed for it.
    pub server: String,
    /// Where to listen and under which names.
    #[serde(default)]
    pub listen: Listen,
    /// Where everything is kept.
    #[serde(default)]
    pub database: Database,
    /// Settings for agents.
    #[serde(default)]
    pub agents: Agents,
    /// Settings for pages.
    #[serde(default)]
    pub pages: Pages,
    /// How long section bodies are kept.
    #[serde(default)]
    pub retention: Retention,
    /// How much room there should be on the store's disk.
    #[serde(default)]
    pub space: SpaceLimits,
    /// The office's own certificate for the pages, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<WebCertificate>,
}

/// Where to listen and under which names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Address and port. Default `0.0.0.0:8443`.
    pub address: String,
    /// Names and addresses people and agents dial, besides the fixed one. Default `localhost`, `127.0.0.1`, `::1`.
    pub hosts: Vec<String>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: "0.0.0.0:8443".to_owned(),
            hosts: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
        }
    }
}

/// Where everything is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:NAME` (a file in the data folder) or `postgres://...`. Default `sqlite:tram-an.db`.
    pub url: String,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: "sqlite:tram-an.db".to_owned() }
    }
}

/// Settings for agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agents {
    /// How long a poll is held, in seconds, before the random spread of 20 %. Default 1200; use less where a router forgets idle connections.
    pub poll_held_s: u32,
    /// Folder with the agent's programs and installers that the enrolment page offers (`agent/packaging` makes them). A relative
    /// one is below the data folder. Default `programs`.
    pub programs: PathBuf,
}

impl Default for Agents {
    fn default() -> Self {
        Self {
            poll_held_s: u32::try_from(limits::POLL_HELD.as_secs()).unwrap_or(1200),
            programs: PathBuf::from("programs"),
        }
    }
}

impl Agents {
    /// How long a poll is held.
    pub fn poll_held(&self) -> Duration {
        Duration::from_secs(self.poll_held_s.into())
    }
}

/// Settings for pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pages {
    /// The time zone of dates and times, by its IANA name. Default `Asia/Ho_Chi_Minh`.
    pub time_zone: String,
}

impl Default for Pages {
    fn default() -> Self {
        Self { time_zone: "Asia/Ho_Chi_Minh".to_owned() }
    }
}

impl Pages {
    /// The time zone.
    ///
    /// # Errors
    /// No zone has that name.
    pub fn zone(&self) -> anyhow::Result<TimeZone> {
        TimeZone::get(&self.time_zone).with_context(|| format!("pages.time_zone {:?} is not known", self.time_zone))
    }
}

/// The office's own certificate for the pages; agents keep seeing the one of the server CA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebCertificate {
    /// PEM file with the chain, leaf first.
    pub certificate: PathBuf,
    /// PEM file with the private key, readable only by the server's user.
    pub key: PathBuf,
}

impl Config {
    /// The SQLite file, named relative to the data folder; `None` on PostgreSQL.
    pub fn sqlite_file(&self, data: &Path) -> Option<PathBuf> {
        self.database.url.strip_prefix("sqlite:").map(|file| data.join(file))
    }

    /// The configuration of a new server with this id: all defaults.
    pub fn new(server: String) -> Self {
        Self {
            version: 1,
            server,
            listen: Listen::default(),
            database: Database::default(),
            agents: Agents::default(),
            pages: Pages::default(),
            retention: Retention::default(),
            space: SpaceLimits::default(),
            web: None,
        }
    }

    /// Reads and checks `server.toml` in `data`.
    ///
    /// # Errors
    /// The file is missing, is not TOML of this format, or holds a value that cannot be used; the message names the file.
    pub fn read(data: &Path) -> anyhow::Result<Self> {
        let path = data.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|cause| {
            let told = match cause.kind() {
                std::io::ErrorKind::NotFound => UserError::from(text!("Không có máy chủ trong {0}. Nếu trước đây đã có, hãy xem ổ đĩa chứa dữ liệu đã được gắn chưa, hoặc khôi phục từ bản sao lưu. \
                         Nếu chưa có, hãy tạo trước: posture-server init --data {0}", "There is no server in {0}. If there was one, see whether its disk is mounted, or restore it from a backup. If there never was, \
                         make one first: posture-server init --data {0}", data.display())),
                _ => UserError::from(text!("Không đọc được {}.", "Cannot read {}.", path.display())),
            };
            told.because(anyhow::Error::from(cause).context(path.display().to_string()))
        })?;
        let config: Self = toml::from_str(&text).map_err(|cause| unusable(&path.display().to_string(), cause))?;
        config.validate()
    }

    /// The address that machines dial: the first name that does not mean this computer itself, else the first; with `port`,
    /// or that of the configuration.
    pub fn dial_address(&self, port: Option<u16>) -> String {
        let own = |host: &&String| !["localhost", "127.0.0.1", "::1"].contains(&host.as_str());
        let host = self.listen.hosts.iter().find(own).or_else(|| self.listen.hosts.first());
        let configured = self.listen.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let port = port.or(configured).unwrap_or(8443);
        match host {
            Some(host) if host.contains(':') => format!("[{host}]:{port}"),
            Some(host) => format!("{host}:{port}"),
            None => format!("localhost:{port}"),
        }
    }

    /// Checks what the types cannot express.
    ///
    /// # Errors
    /// A value cannot be used; the message names it.
    pub fn validate(self) -> anyhow::Result<Self> {
        if self.version != 1 {
            return Err(unusable(FILE, anyhow!("version = {}: this program reads version 1", self.version)));
        }
        let url = &self.database.url;
        if !["sqlite:", "postgres:", "postgresql:"].iter().any(|kind| url.starts_with(kind)) {
            return Err(unusable(FILE, anyhow!("[database] url: must begin with sqlite: or postgres:")));
        }
        if let Err(error) = self.listen.address.parse::<std::net::SocketAddr>() {
            return Err(unusable(FILE, anyhow!("[listen] address {:?}: {error}", self.listen.address)));
        }
        if self.agents.poll_held_s == 0 {
            return Err(unusable(FILE, anyhow!("[agents] poll_held_s: must be at least 1")));
        }
        self.pages.zone().map_err(|cause| unusable(FILE, cause))?;
        self.hosts()?;
        Ok(self)
    }

    /// The names and addresses in the server's certificate besides the fixed one.
    ///
    /// # Errors
    /// One of them is neither a name nor an address.
    pub fn hosts(&self) -> anyhow::Result<Vec<Host>> {
        self.listen.hosts.iter().map(|host| host.parse().map_err(|cause| unusable("[listen] hosts", cause))).collect()
    }

    /// The file's text, with a comment on each part.
    ///
    /// # Errors
    /// None in practice.
    pub fn to_toml(&self) -> anyhow::Result<String> {
        let head = "# Cấu hình máy chủ Trạm An. Khởi động lại máy chủ sau khi sửa.\n\
                    # Configuration of the Trạm An server. Start it again after a change.\n\n";
        Ok(format!("{head}{}", toml::to_string(self)?))
    }
}

fn unusable(place: &str, cause: impl Into<anyhow::Error>) -> anyhow::Error {
    UserError::from(text!("Cấu hình không dùng được ({place}).", "The configuration cannot be used ({place})."))
        .because(cause)
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_init_writes_reads_back() {
        let config = Config::new("server-1".to_owned());
        let text = config.to_toml().unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config, "{text}");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Config::read(folder.path()).unwrap_err().to_string().contains("init"));
        for (text, wrong) in [
            ("version = 2\nserver = \"s\"\n", "version"),
            ("version = 1\nserver = \"s\"\ncolour = 1\n", "colour"),
            ("version = 1\nserver = \"s\"\n[listen]\naddress = \"8443\"\n", "address"),
            ("version = 1\nserver = \"s\"\n[listen]\nhosts = [\"a b\"]\n", "a b"),
            ("version = 1\nserver = \"s\"\n[database]\nurl = \"mysql://x\"\n", "url"),
        ] {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            let refused = UserError::render(&Config::read(folder.path()).unwrap_err(), policies::text::Language::En);
            assert!(refused.contains(wrong), "{refused}");
        }
    }
}
