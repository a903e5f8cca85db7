//! A PostgreSQL for one test or measurement, to be stopped, started and starved of space; the tests' shared one is not affected.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::process::{answer, command};
use crate::small_disk::SmallDisk;

/// A cluster with one database.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    /// Words in front of each of its programs.
    prefix: Vec<String>,
    folder: PathBuf,
    port: u16,
    /// Settings given at the start.
    settings: &'static str,
}

impl Postgres {
    /// Makes a cluster on `disk` and starts it on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or refuses.
    pub fn start_on(disk: &SmallDisk) -> anyhow::Result<Self> {
        // Small pieces of its log, so that little room is enough.
        let settings = "-c max_wal_size=8MB -c min_wal_size=2MB";
        Self::make(disk.enter(), disk.outside().as_path(), disk.folder().join("database"), "--wal-segsize=1", settings)
    }

    /// Makes a cluster of the usual size in `folder` and starts it on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or refuses; the user `postgres` may not enter the folder.
    pub fn start_in(folder: &Path) -> anyhow::Result<Self> {
        let settings = "-c shared_buffers=512MB -c max_wal_size=4GB";
        Self::make(Vec::new(), folder, folder.join("database"), "--wal-segsize=16", settings)
    }

    /// True where PostgreSQL is installed.
    pub fn is_installed() -> bool {
        Path::new("/usr/lib/postgresql").exists()
    }

    fn make(
        mut prefix: Vec<String>,
        owned: &Path,
        folder: PathBuf,
        size: &str,
        settings: &'static str,
    ) -> anyhow::Result<Self> {
        let installed = std::fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed")?;
        let mut programs: Vec<PathBuf> = installed.flatten().map(|entry| entry.path().join("bin")).collect();
        programs.sort();
        let programs = programs.pop().context("PostgreSQL is not installed")?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        prefix.extend(["runuser", "-u", "postgres", "--"].map(str::to_owned));
        let owned = answer(command("chown").arg("postgres").arg(owned))?;
        ensure!(owned.code == Some(0), "{owned:?}");
        let this = Self { programs, prefix, folder, port, settings };
        let folder = this.folder.to_string_lossy().into_owned();
        this.done(
            &mut this.command(
                "initdb",
                &["-D", &folder, "-U", "postgres", "-A", "trust", "--no-locale", "-E", "UTF8", size],
            ),
        )?;
        this.start()?;
        Ok(this)
    }

    /// The process that is the parent of all others of it.
    ///
    /// # Errors
    /// It does not run.
    pub fn id(&self) -> anyhow::Result<u32> {
        let words = std::fs::read_to_string(self.folder.join("postmaster.pid")).context("PostgreSQL does not run")?;
        words.lines().next().and_then(|line| line.parse().ok()).context("postmaster.pid")
    }

    /// The address of its database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it, unless it runs.
    ///
    /// # Errors
    /// It fails; the error has its output.
    pub fn start(&self) -> anyhow::Result<()> {
        let log = self.folder.with_extension("log").to_string_lossy().into_owned();
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} {}",
            self.port,
            self.folder.display(),
            self.settings
        );
        if self.control(&["status"])?.code == Some(0) {
            return Ok(());
        }
        let started = self.control(&["start", "-l", &log, "-s", "-w", "-t", "60", "-o", &options])?;
        ensure!(started.code == Some(0), "{started:?}");
        Ok(())
    }

    /// Stops it as a crash would.
    ///
    /// # Errors
    /// It does not run.
    pub fn stop(&self) -> anyhow::Result<()> {
        let stopped = self.control(&["stop", "-m", "immediate", "-s"])?;
        ensure!(stopped.code == Some(0), "{stopped:?}");
        Ok(())
    }

    fn control(&self, words: &[&str]) -> anyhow::Result<crate::process::Answer> {
        let folder = self.folder.to_string_lossy();
        answer(&mut self.command("pg_ctl", &[words, &["-D", &folder]].concat()))
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = command(&self.prefix[0]);
        command.args(&self.prefix[1..]).arg(self.programs.join(program)).args(words);
        // A folder that the user postgres may enter.
        command.current_dir(Path::new("/"));
        command
    }

    fn done(&self, command: &mut Command) -> anyhow::Result<()> {
        let said = answer(command)?;
        ensure!(said.code == Some(0), "{said:?}");
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It may have ended already; its disk ends with it.
        drop(self.stop());
    }
}
