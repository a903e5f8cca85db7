//! Restoring a copy on an empty machine: it is read in full and checked, then written, then checked again.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use policies::text;
use serde::Serialize;

use super::seal::{Key, open};
use super::{CONFIG, FOLDERS, FORMAT, Manifest, POSTGRES, SQLITE, archive, damaged, database, failed, is_plain, place};
use crate::act::By;
use crate::act::backup::put_back_note;
use crate::config::{self, Config};
use crate::error::UserError;
use crate::secrets::folder::folder_prepare;
use crate::secrets::{Secrets, file, log_signer_read};
use crate::store::{self, Db};

/// Where an SQLite database from outside the data folder is restored to: where `init` makes one.
const FILE: &str = "tram-an.db";

/// A server that was restored.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// Its id.
    pub server: String,
    /// Its data folder.
    pub data: PathBuf,
    /// Fingerprint of its CA, by which machines know it.
    pub fingerprint: String,
    /// When the copy was made, milliseconds UTC.
    pub made_at: i64,
    /// The store's new epoch; the first was 1.
    pub epoch: i64,
    /// Where the copy's audit log was broken already.
    pub audit_broken: Option<String>,
    /// Files outside the data folder that the configuration names.
    pub wanted: Vec<PathBuf>,
}

/// Reads a copy from start to end and checks every byte.
///
/// # Errors
/// It is damaged, truncated, not ours, made by a newer program, or encrypted for somebody else.
pub fn check(path: &Path, key: &Key) -> anyhow::Result<Manifest> {
    Ok(read(path, key)?.0)
}

/// The manifest and the configuration of a copy that is whole.
fn read(path: &Path, key: &Key) -> anyhow::Result<(Manifest, Config)> {
    let text = Kept::default();
    let manifest = archive::read(&mut *open(path, key)?, |name, _| {
        Ok(if name == CONFIG { Box::new(text.clone()) } else { Box::new(std::io::sink()) })
    })?;
    let newest = store::schema_newest();
    if manifest.format != FORMAT || manifest.schema > newest {
        return Err(UserError::from(text!(
            "Bản sao lưu do phần mềm mới hơn tạo ra ({}). Hãy dùng phiên bản đó để khôi phục.",
            "The backup was made by a newer program ({}). Restore it with that version.",
            manifest.program
        ))
        .into());
    }
    let text = String::from_utf8(text.0.take()).map_err(damaged)?;
    let config: Config = toml::from_str(&text).map_err(damaged)?;
    let config = config.validate().map_err(damaged)?;
    let database = if config.database.url.starts_with("sqlite:") { SQLITE } else { POSTGRES };
    let holds = |name: &str| manifest.files.iter().filter(|file| file.name == name).count();
    let databases = (holds(SQLITE) + holds(POSTGRES), holds(database));
    if config.server != manifest.server || databases != (1, 1) {
        return Err(damaged(anyhow::anyhow!("configuration, database and manifest are not of one server")));
    }
    Ok((manifest, config))
}

/// Restores the copy `path` into the new or empty folder `data`, and its PostgreSQL database into the empty one that the configuration,
/// or `database`, names.
///
/// # Errors
/// The copy cannot be used, the folder or database holds something, there is no room, or something cannot be written; the folder is then
/// empty again, and the message says whether a PostgreSQL database is.
pub async fn restore(path: &Path, key: &Key, data: &Path, database: Option<&str>, by: &By) -> anyhow::Result<Restored> {
    let (manifest, mut config) = read(path, key)?;
    if let Some(url) = database {
        if config.database.url.starts_with("sqlite:") != url.starts_with("sqlite:") {
            return Err(UserError::new(
                "Bản sao lưu của SQLite chỉ khôi phục vào SQLite, của PostgreSQL chỉ vào PostgreSQL.",
                "A backup of SQLite goes back to SQLite only, one of PostgreSQL to PostgreSQL.",
            )
            .into());
        }
        url.clone_into(&mut config.database.url);
        config = config.validate()?;
    }
    let target = target(&mut config).await?;
    let made = !data.exists();
    folder_prepare(data)?;
    let done = async {
        place::room_check(data, manifest.size())?;
        write(path, key, data, &manifest, &target)?;
        let Target::Server = target else { return settle(path, data, &manifest, &config, by).await };
        let (dump, url) = (data.join(POSTGRES), &config.database.url);
        database::put_back(url, &dump).await?;
        let settled = async {
            fs::remove_file(&dump).map_err(|cause| failed(&dump, cause))?;
            settle(path, data, &manifest, &config, by).await
        };
        settled.await.map_err(|cause| database::filled(url, cause))
    };
    let done = done.await;
    if done.is_err() {
        clear(data, made);
    }
    done
}

/// Where the database goes.
enum Target {
    /// A file in the data folder.
    File(String),
    /// An empty PostgreSQL database.
    Server,
}

async fn target(config: &mut Config) -> anyhow::Result<Target> {
    let url = &config.database.url;
    if let Some(name) = url.strip_prefix("sqlite:") {
        let taken = name == CONFIG || FOLDERS.contains(&name);
        if is_plain(name) && !taken {
            return Ok(Target::File(name.to_owned()));
        }
        // It lay elsewhere on the lost machine: nothing is written outside the data folder.
        config.database = config::Database::default();
        return Ok(Target::File(FILE.to_owned()));
    }
    let db = database::attach(Path::new(""), url).await?;
    let (version, empty) = (db.version_postgres().await?, db.is_empty().await?);
    db.close().await;
    if !empty {
        return Err(UserError::new(
            "Cơ sở dữ liệu PostgreSQL đích không trống. Hãy tạo cơ sở dữ liệu mới rồi nêu bằng --database.",
            "The PostgreSQL database is not empty. Make a new one and name it by --database.",
        )
        .into());
    }
    database::restore_check(version.unwrap_or(0))?;
    Ok(Target::Server)
}

/// Writes every file but the configuration, which completes the server and so is written last.
fn write(path: &Path, key: &Key, data: &Path, manifest: &Manifest, target: &Target) -> anyhow::Result<()> {
    let read = archive::read(&mut *open(path, key)?, |name, _| {
        let place = match (name, target) {
            (CONFIG, _) => return Ok(Box::new(std::io::sink())),
            (SQLITE, Target::File(name)) => data.join(name),
            _ => data.join(name),
        };
        if let Some((folder, _)) = name.split_once('/') {
            let folder = data.join(folder);
            if !folder.exists() {
                file::folder_create(&folder)?;
            }
        }
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place);
        Ok(Box::new(Durable(BufWriter::new(created.map_err(|cause| failed(&place, cause))?))))
    })?;
    if read != *manifest {
        return Err(damaged(anyhow::anyhow!("the file changed while it was read")));
    }
    for folder in FOLDERS.map(|folder| data.join(folder)).iter().filter(|folder| folder.exists()) {
        File::open(folder).and_then(|opened| opened.sync_all()).map_err(|cause| failed(folder, cause))?;
    }
    Ok(())
}

/// Checks that everything belongs together, and records the restore.
async fn settle(path: &Path, data: &Path, manifest: &Manifest, config: &Config, by: &By) -> anyhow::Result<Restored> {
    let secrets = Secrets::read_quietly(data)?;
    let db: Db = database::attach(data, &config.database.url).await?;
    db.migrate().await?;
    db.log_open(log_signer_read(data, &config.server)?).await?;
    let mut tx = db.read().await?;
    let (owner, head) = (tx.server_name().await?, tx.audit_head().await?);
    if owner.is_some_and(|owner| owner != config.server)
        || (head.number, &head.hash) != (manifest.audit.number, &manifest.audit.hash)
    {
        return Err(damaged(anyhow::anyhow!("the database is not the one of the manifest")));
    }
    let audit_broken = tx.audit_verify().await?.err().map(|broken| broken.to_string());
    drop(tx);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let epoch = put_back_note(&db, by, &name, manifest.made_at, manifest.audit.number).await?;
    db.close().await;
    file::write(&data.join(config::FILE), config.to_toml()?.as_bytes())?;
    let mut wanted: Vec<PathBuf> =
        config.web.iter().flat_map(|web| [web.certificate.clone(), web.key.clone()]).collect();
    if config.agents.programs != Path::new("programs") {
        wanted.push(config.agents.programs.clone());
    }
    Ok(Restored {
        server: config.server.clone(),
        data: data.to_owned(),
        fingerprint: secrets.server_ca.fingerprint().to_string(),
        made_at: manifest.made_at,
        epoch,
        audit_broken,
        wanted,
    })
}

/// Removes what was written into a folder that was empty before. What cannot be removed is reported by the next attempt.
fn clear(data: &Path, made: bool) {
    for entry in fs::read_dir(data).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let _ = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
    if made {
        let _ = fs::remove_dir(data);
    }
}

/// A writer that keeps its bytes in memory.
#[derive(Clone, Default)]
struct Kept(Rc<RefCell<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A file that is synced to the disk when flushed.
struct Durable(BufWriter<File>);

impl Write for Durable {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()?;
        self.0.get_ref().sync_all()
    }
}
