//! This Windows machine. `unsafe` stands only in [`services`] and [`machine`]; registry and WMI are asked through safe crates.

use std::os::windows::fs::OpenOptionsExt;
use std::time::Duration;

use super::{Registry, Row, Service, WindowsOs, WindowsProcess};
use crate::apart::{Apart, Trouble};
use crate::os::{Answer, Hardware, Os, OsError, Source, Stat, failed, files, hardware};

mod machine;
mod registry;
mod services;
mod wmi;

/// This machine.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    workers: Apart<&'static str>,
}

/// `FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE`: reading must not get in anybody's way.
const SHARE_ALL: u32 = 7;
/// How long WMI may take: with a foreign antivirus installed, some classes were seen to hang for minutes.
const WMI_DEADLINE: Duration = Duration::from_secs(10);

impl Os for Windows {
    fn open(&self, path: &str) -> Answer<Box<dyn Source>> {
        let file = std::fs::OpenOptions::new().read(true).share_mode(SHARE_ALL).open(path);
        let file = file.map_err(|error| failed(path, &error))?;
        let metadata = file.metadata().map_err(|error| failed(path, &error))?;
        if !metadata.is_file() {
            return Err(OsError::Failed(path.to_owned(), "is no ordinary file".to_owned()));
        }
        Ok(Box::new(file))
    }

    fn list(&self, path: &str) -> Answer<Vec<String>> {
        files::list(path)
    }

    fn stat(&self, path: &str) -> Answer<Stat> {
        files::stat(path)
    }

    fn hardware(&self) -> Hardware {
        hardware::read()
    }

    fn administrator(&self) -> bool {
        machine::administrator()
    }

    fn disk_size(&self, path: &str) -> Answer<u64> {
        machine::disk_size(path)
    }
}

impl WindowsOs for Windows {
    fn value(&self, key: &str, name: &str) -> Answer<Registry> {
        registry::value(key, name)
    }

    fn values(&self, key: &str) -> Answer<Vec<(String, Registry)>> {
        registry::values(key)
    }

    fn keys(&self, key: &str) -> Answer<Vec<String>> {
        registry::keys(key)
    }

    fn wmi(&self, namespace: &str, query: &str) -> Answer<Vec<Row>> {
        let (asked, query) = (namespace.to_owned(), query.to_owned());
        let rows = self.workers.run("wmi", "wmi", WMI_DEADLINE, move || wmi::rows(&asked, &query));
        rows.unwrap_or_else(|trouble| {
            Err(match trouble {
                Trouble::Hangs | Trouble::TimedOut => OsError::TimedOut(namespace.to_owned()),
                other => OsError::Failed(namespace.to_owned(), other.to_string()),
            })
        })
    }

    fn services(&self) -> Answer<Vec<Service>> {
        services::all()
    }

    fn processes(&self) -> Answer<Vec<WindowsProcess>> {
        machine::processes()
    }

    fn computer_name(&self) -> Answer<String> {
        machine::name()
    }
}
