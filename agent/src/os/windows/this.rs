//! This Windows machine. One file for each kind of question; `unsafe` stands only in the files below.

use std::fs::File;
use std::os::windows::fs::OpenOptionsExt;

use super::{
    AccountRules, Adapter, Event, EventQuery, Join, LogFile, Member, NeighbourEntry, NetworkCategory, Registry, Row,
    Service, Socket, UpdateSearch, UserAccount, WindowsOs, WindowsProcess, WirelessLink,
};
use crate::os::{Answer, Hardware, Os, OsError, Source, Stat, failed, files, hardware};

mod registry;

/// This machine.
#[derive(Clone, Debug, Default)]
pub struct Windows;

/// `FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE`: reading must not get in anybody's way.
const SHARE_ALL: u32 = 7;

impl Os for Windows {
    fn open(&self, path: &str) -> Answer<Box<dyn Source>> {
        let file: File = std::fs::OpenOptions::new()
            .read(true)
            .share_mode(SHARE_ALL)
            .open(path)
            .map_err(|error| failed(path, &error))?;
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
}
