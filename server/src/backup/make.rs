//! Making a copy while the server runs.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use policies::text;
use serde::Serialize;

use super::seal::{Key, Lock, open};
use super::{AuditHead, CONFIG, FOLDERS, FORMAT, Manifest, POSTGRES, SMALL_MOST, SQLITE};
use super::{archive, database, failed, is_plain, place};
use crate::act::By;
use crate::act::backup as note;
use crate::app::programs::LARGEST;
use crate::config::Config;
use crate::error::UserError;
use crate::secrets::{file, log_signer_read};
use crate::store::{Db, Tx};

/// Folder below the data folder to which the database is copied before it goes into the archive: it is never unencrypted at the destination.
const PART: &str = "backup.part";
/// How often the small files are read again when they change during reading.
const TRIES: usize = 5;

/// The options for a copy.
pub struct Wanted {
    /// The folder for the copy.
    pub folder: PathBuf,
    /// Who can open it.
    pub lock: Lock,
    /// How many copies of this server are kept in the folder; all when `None`.
    pub keep: Option<usize>,
}

/// A copy that was made.
#[derive(Debug, Serialize)]
pub struct Made {
    /// The file.
    pub file: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// What it holds.
    pub manifest: Manifest,
    /// What the server uses and the copy does not hold, because it is outside the data folder.
    pub left_out: Vec<PathBuf>,
    /// Older copies that were removed.
    pub removed: Vec<String>,
}

/// Makes a copy of the server in `data`.
///
/// # Errors
/// There is no server, its database cannot be copied, there is no room, or something cannot be read or written; nothing is left behind then.
pub async fn backup_make(data: &Path, wanted: &Wanted, by: &By) -> anyhow::Result<Made> {
    let config = Config::read(data)?;
    folder_check(data, &wanted.folder)?;
    let _lock = lock_take(data)?;
    let db = database::attach(data, &config.database.url).await?;
    let part = data.join(PART);
    if part.exists() {
        // Left by an interrupted copy: the lock shows that nobody uses it.
        fs::remove_dir_all(&part).map_err(|cause| failed(&part, cause))?;
    }
    let unfinished = wanted.folder.join(format!(".tram-an-{}.part", config.server));
    let made = async {
        file::folder_create(&part)?;
        let copied = database_copy(data, &config, &db, &part).await?;
        write(data, &config, wanted, &copied, &unfinished, by.at)
    };
    let made = made.await;
    let cleared = fs::remove_dir_all(&part);
    if made.is_err() && unfinished.exists() {
        fs::remove_file(&unfinished).map_err(|cause| failed(&unfinished, cause))?;
    }
    let (mut made, name) = made?;
    cleared.map_err(|cause| failed(&part, cause))?;
    let noted = note::Copied { size: made.size, encrypted: made.encrypted, head: made.manifest.audit.number };
    db.log_open(log_signer_read(data, &config.server)?).await?;
    note::backup_note(&db, by, &name, noted).await?;
    db.close().await;
    if let Some(keep) = wanted.keep {
        made.removed = place::prune(&wanted.folder, &config.server, &made.file, keep)?;
    }
    Ok(made)
}

fn folder_check(data: &Path, folder: &Path) -> anyhow::Result<()> {
    let shown = folder.display();
    let real = folder.canonicalize().map_err(|cause| failed(folder, cause))?;
    if !real.is_dir() {
        return Err(UserError::from(text!("{shown} không phải thư mục.", "{shown} is not a folder.")).into());
    }
    if real.starts_with(data.canonicalize().map_err(|cause| failed(data, cause))?) {
        return Err(UserError::from(text!(
            "{shown} nằm trong thư mục dữ liệu. Bản sao lưu phải nằm ở nơi khác, tốt nhất là trên ổ đĩa khác.",
            "{shown} lies in the data folder. A backup must lie elsewhere, best on another disk."
        ))
        .into());
    }
    Ok(())
}

/// One copy at a time: making one locks the configuration file, which no other program locks.
fn lock_take(data: &Path) -> anyhow::Result<File> {
    let path = data.join(CONFIG);
    let lock = File::open(&path).map_err(|cause| failed(&path, cause))?;
    lock.try_lock().map_err(|cause| {
        UserError::new(
            "Một lệnh sao lưu khác đang chạy. Hãy đợi lệnh đó xong rồi chạy lại.",
            "Another backup is running. Wait until it has ended and run this again.",
        )
        .because(anyhow::anyhow!("{cause}"))
    })?;
    Ok(lock)
}

/// The database as a file, and what it says about itself.
struct Copied {
    file: PathBuf,
    name: &'static str,
    schema: i64,
    audit: AuditHead,
}

async fn database_copy(data: &Path, config: &Config, db: &Db, part: &Path) -> anyhow::Result<Copied> {
    if let Some(name) = config.database.url.strip_prefix("sqlite:") {
        let (from, file) = (data.join(name), part.join(SQLITE));
        place::room_check(part, size_of(&from)? + size_of(&data.join(format!("{name}-wal"))).unwrap_or(0))?;
        Db::copy_sqlite(&from, &file).await.map_err(|cause| {
            UserError::new(
                "Không sao chép được cơ sở dữ liệu vào thư mục backup.part trong thư mục dữ liệu: cơ sở dữ liệu bị hỏng hoặc không ghi được vào ổ đĩa. Hãy xem lý do dưới đây, kiểm tra ổ đĩa rồi chạy lại.",
                "The database cannot be copied into the folder backup.part of the data folder: it is damaged, or the disk cannot be written. See the reason below, check the disk and run it again.",
            )
            .because(cause)
        })?;
        let copy = Db::open_sqlite(&file).await?;
        let (schema, audit) = described(&mut copy.read().await?, config).await?;
        copy.close().await;
        return Ok(Copied { file, name: SQLITE, schema, audit });
    }
    let version = db.version_postgres().await?.context("PostgreSQL does not say its version")?;
    database::dump_check(version)?;
    place::room_check(part, db.size_postgres().await?.unwrap_or(0))?;
    let mut tx = db.read().await?;
    let snapshot = tx.snapshot_name().await?.context("PostgreSQL gives no snapshot")?;
    let (schema, audit) = described(&mut tx, config).await?;
    let file = part.join(POSTGRES);
    database::dump(&config.database.url, &snapshot, &file).await?;
    drop(tx);
    Ok(Copied { file, name: POSTGRES, schema, audit })
}

async fn described(tx: &mut Tx, config: &Config) -> anyhow::Result<(i64, AuditHead)> {
    let owner = tx.server_name().await?;
    if owner.as_ref().is_some_and(|owner| *owner != config.server) {
        return Err(UserError::from(text!("Cơ sở dữ liệu này thuộc máy chủ khác, không phải {}. Hãy kiểm tra mục [database] trong server.toml và thư mục --data.", "This database belongs to another server, not to {}. Check [database] in server.toml and the folder named by --data.", config.server))
        .into());
    }
    let head = tx.audit_head().await?;
    Ok((tx.schema_number().await?, AuditHead { number: head.number, hash: head.hash }))
}

fn size_of(path: &Path) -> anyhow::Result<u64> {
    Ok(fs::metadata(path).map_err(|cause| failed(path, cause))?.len())
}

/// Writes the archive under an unfinished name, reads it back if this program can open it, and renames it.
fn write(
    data: &Path,
    config: &Config,
    wanted: &Wanted,
    copied: &Copied,
    unfinished: &Path,
    at: i64,
) -> anyhow::Result<(Made, String)> {
    let small = small_files(data)?;
    let (programs, left_out) = programs_find(data, config)?;
    let sizes = small.iter().map(|(_, bytes)| bytes.len() as u64).chain(programs.iter().map(|(_, _, size)| *size));
    let size = sizes.fold(size_of(&copied.file)?, u64::saturating_add);
    // Encryption and headers add less than a hundredth.
    place::room_check(&wanted.folder, size + size / 50)?;
    let instant = jiff::Timestamp::from_millisecond(at)?;
    let name = place::name_of(&config.server, instant, wanted.lock.is_sealed());
    let path = wanted.folder.join(&name);
    if path.exists() {
        return Err(UserError::from(text!("Đã có {}.", "{} exists already.", path.display())).into());
    }
    if unfinished.exists() {
        fs::remove_file(unfinished).map_err(|cause| failed(unfinished, cause))?;
    }
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(unfinished);
    let sink = wanted.lock.wrap(created.map_err(|cause| failed(unfinished, cause))?)?;
    let mut archive = archive::Writer::new(sink, u64::try_from(instant.as_second()).unwrap_or(0));
    let unwritten = |cause: anyhow::Error| failed(unfinished, cause);
    for (name, bytes) in &small {
        archive.add(name, bytes.len() as u64, &mut bytes.as_slice()).map_err(unwritten)?;
    }
    for (name, program, size) in &programs {
        archive.add(name, *size, &mut plain_open(program)?).map_err(unwritten)?;
    }
    let mut database = File::open(&copied.file).map_err(|cause| failed(&copied.file, cause))?;
    archive.add(copied.name, size_of(&copied.file)?, &mut database).map_err(unwritten)?;
    let finished = archive.finish(|files| Manifest {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        server: config.server.clone(),
        made_at: at,
        database: if copied.name == SQLITE { "sqlite" } else { "postgres" }.to_owned(),
        schema: copied.schema,
        audit: copied.audit.clone(),
        files,
    });
    let (sink, manifest) = finished.map_err(unwritten)?;
    sink.finish().map_err(|cause| failed(unfinished, cause))?;
    read_again(unfinished, &wanted.lock, &manifest)?;
    fs::rename(unfinished, &path).map_err(|cause| failed(&path, cause))?;
    // Not every file system of a stick or a share can do this for a folder.
    let _ = File::open(&wanted.folder).and_then(|folder| folder.sync_all());
    let size = size_of(&path)?;
    Ok((Made { file: path, size, encrypted: wanted.lock.is_sealed(), manifest, left_out, removed: Vec::new() }, name))
}

/// A copy for recipients only cannot be read here.
fn read_again(path: &Path, lock: &Lock, manifest: &Manifest) -> anyhow::Result<()> {
    let key = match lock {
        Lock::Recipients(_) => return Ok(()),
        Lock::Open => Key::default(),
        Lock::Passphrase(passphrase) => Key { passphrase: Some(passphrase.clone()), ..Key::default() },
    };
    let read = archive::read(&mut *open(path, &key)?, |_, _| Ok(Box::new(std::io::sink())))?;
    anyhow::ensure!(read == *manifest, "what was written reads differently");
    Ok(())
}

/// Configuration, keys and certificates, read again until they did not change meanwhile: a certificate must match its key.
fn small_files(data: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut last = small_files_once(data)?;
    for _ in 0..TRIES {
        let again = small_files_once(data)?;
        if again == last {
            return Ok(again);
        }
        last = again;
    }
    anyhow::bail!("keys and certificates change all the time")
}

fn small_files_once(data: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut files = vec![(CONFIG.to_owned(), small_read(&data.join(CONFIG))?)];
    for folder in FOLDERS.iter().filter(|folder| **folder != "programs") {
        for (name, path) in names_in(data, folder)? {
            files.push((name, small_read(&path)?));
        }
    }
    Ok(files)
}

/// The plain files of a folder by name; links are not followed and anything else is skipped. Empty if the folder does not exist.
fn names_in(data: &Path, folder: &str) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let path = data.join(folder);
    let is_folder = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
    if !is_folder {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&path).map_err(|cause| failed(&path, cause))? {
        let entry = entry.map_err(|cause| failed(&path, cause))?;
        let is_file = entry.file_type().map_err(|cause| failed(&entry.path(), cause))?.is_file();
        if let Some(name) = entry.file_name().to_str().filter(|name| is_file && is_plain(name)) {
            found.push((format!("{folder}/{name}"), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

fn small_read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    plain_open(path)?.take(SMALL_MOST + 1).read_to_end(&mut bytes).map_err(|cause| failed(path, cause))?;
    anyhow::ensure!(bytes.len() as u64 <= SMALL_MOST, "{} is larger than {SMALL_MOST} bytes", path.display());
    Ok(bytes)
}

fn plain_open(path: &Path) -> anyhow::Result<File> {
    let no_link = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits())?;
    OpenOptions::new().read(true).custom_flags(no_link).open(path).map_err(|cause| failed(path, cause))
}

type Programs = Vec<(String, PathBuf, u64)>;

/// The agents' programs, and what the server uses outside its data folder.
fn programs_find(data: &Path, config: &Config) -> anyhow::Result<(Programs, Vec<PathBuf>)> {
    let mut left_out: Vec<PathBuf> =
        FOLDERS.iter().map(|folder| data.join(folder)).filter(|path| path.is_symlink()).collect();
    if let Some(web) = &config.web {
        left_out.extend([web.certificate.clone(), web.key.clone()]);
    }
    if config.agents.programs != Path::new("programs") {
        left_out.push(config.agents.programs.clone());
        return Ok((Vec::new(), left_out));
    }
    let mut programs = Vec::new();
    for (name, path) in names_in(data, "programs")? {
        let size = fs::symlink_metadata(&path).map_err(|cause| failed(&path, cause))?.size();
        if size > LARGEST {
            left_out.push(path);
        } else {
            programs.push((name, path, size));
        }
    }
    Ok((programs, left_out))
}
