//! Opening the store of a data folder: that it exists, is whole, is this server's, and is in use by no other server. An unmounted disk
//! looks like a store that was never made, so an initialised server never makes one on its own.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use policies::text;

use crate::audit::{Action, Actor, Change};
use crate::config::Config;
use crate::error::UserError;
use crate::evidence::Signer;
use crate::secrets::log_signer_read;
use crate::store::damage::sqlite_check;
use crate::store::meta::{Foreign, Mark, SERVER};
use crate::store::{Db, StoreError, schema_newest};

/// What the data folder is expected to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The store of a server that was initialised.
    Existing,
    /// Nothing: `init` makes the server's first store.
    First,
    /// Nothing: the store was lost, and someone starts over.
    Anew {
        /// Who started over, for the audit log.
        by: Actor,
        /// When, milliseconds UTC.
        at: i64,
    },
}

/// Opens the store that `config` names, brings its schema up to date and makes sure that it belongs to the server with these marks.
///
/// # Errors
/// It is not what was wanted, cannot be reached, is damaged, belongs to a newer program or to another server; the error names which.
pub async fn store_open(data: &Path, config: &Config, marks: &[Mark], wanted: Wanted) -> anyhow::Result<Db> {
    let file = config.sqlite_file(data);
    if let Some(file) = &file {
        file_find(file, &wanted)?;
    }
    let place = place_of(data, config);
    let db = match &file {
        Some(file) => Db::open_sqlite(file).await,
        None => Db::open_postgres(&config.database.url).await,
    };
    let db = db.map_err(|cause| unusable(&place, cause))?;
    // A damaged file is kept as it is: no migration writes into it.
    if let Some(file) = file.filter(|_| wanted == Wanted::Existing) {
        let schema = db.read().await.map_err(|cause| unusable(&place, cause))?.schema_number().await;
        if schema.is_ok_and(|schema| schema < schema_newest()) {
            damage_refuse(&place, &file).await?;
        }
    }
    let signer = log_signer_read(data, &config.server)?;
    let prepared = prepare(&db, &place, marks, wanted, signer).await;
    if prepared.is_err() {
        db.close().await;
    }
    prepared.map(|()| db)
}

async fn prepare(db: &Db, place: &str, marks: &[Mark], wanted: Wanted, signer: Signer) -> anyhow::Result<()> {
    let failed = |cause| unusable(place, cause);
    let owner = db.read().await.map_err(failed)?.server_owner().await.map_err(failed)?;
    match (&wanted, owner) {
        (Wanted::Existing, None) => return Err(missing(place).into()),
        (Wanted::First | Wanted::Anew { .. }, Some(owner)) => return Err(taken(place, &owner).into()),
        _ => {}
    }
    db.migrate().await.map_err(failed)?;
    // Another server's store is not touched; a new one has nothing to take in.
    let is_new = wanted != Wanted::Existing;
    if is_new {
        db.log_open(signer.clone()).await.map_err(failed)?;
    }
    let mut tx = db.write().await.map_err(failed)?;
    if let Err(other) = tx.identity_claim(marks).await.map_err(failed)? {
        return Err(foreign(&other).into());
    }
    if let Wanted::Anew { by, at } = wanted {
        let server = marks.iter().find(|mark| mark.name == SERVER).map(|mark| mark.values.join(" "));
        tx.log_epoch_begin(at).await.map_err(failed)?;
        let change = Change::new(by, Action::StoreMade, None, server.unwrap_or_default());
        tx.audit_append(at, &change).await.map_err(failed)?;
        tracing::warn!("a new, empty store was made: machines must enrol again, policies be published again");
    }
    tx.commit().await.map_err(failed)?;
    if !is_new {
        db.log_open(signer).await.map_err(failed)?;
    }
    Ok(())
}

/// Makes sure that the open store `db` belongs to the server with these identity marks.
///
/// # Errors
/// It does not, or the database fails.
pub async fn identity_check(db: &Db, marks: &[Mark]) -> anyhow::Result<()> {
    let mut tx = db.write().await?;
    match tx.identity_claim(marks).await? {
        Ok(()) => Ok(tx.commit().await?),
        Err(other) => Err(foreign(&other).into()),
    }
}

/// Looks for damage in the store: every page of an SQLite file; PostgreSQL checks itself, so only its failure count is logged.
///
/// # Errors
/// Damage was found, or the store cannot be read.
pub async fn store_check(db: &Db, data: &Path, config: &Config) -> anyhow::Result<()> {
    let Some(file) = config.sqlite_file(data) else {
        let failures = db.checksum_failures().await?;
        if failures > 0 {
            tracing::error!(failures, "PostgreSQL has read pages that do not fit their checksums: look at its log");
        }
        return Ok(());
    };
    damage_refuse(&place_of(data, config), &file).await
}

async fn damage_refuse(place: &str, file: &Path) -> anyhow::Result<()> {
    let found = sqlite_check(file).await?;
    if found.is_empty() { Ok(()) } else { Err(damaged(place, anyhow::anyhow!(found.join("; "))).into()) }
}

/// The store's location for messages; never with a password.
pub fn place_of(data: &Path, config: &Config) -> String {
    config.sqlite_file(data).map_or_else(|| "PostgreSQL".to_owned(), |file| file.display().to_string())
}

/// An empty file is what remains of a store when a disk was full or is not mounted.
fn file_find(file: &Path, wanted: &Wanted) -> anyhow::Result<()> {
    let place = file.display().to_string();
    let length = match file.metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) => return Err(unusable_because(&place, error).into()),
    };
    if *wanted == Wanted::Existing && length == 0 { Err(missing(&place).into()) } else { Ok(()) }
}

/// Lock held by the one server that uses an SQLite file; commands need none. Released when the process ends, however it ends.
#[derive(Debug)]
pub struct StoreLock {
    _file: Option<File>,
}

impl StoreLock {
    /// Takes the lock; PostgreSQL needs none.
    ///
    /// # Errors
    /// Another server has it, or the folder cannot be written.
    pub fn take(data: &Path, config: &Config) -> anyhow::Result<Self> {
        let Some(file) = config.sqlite_file(data) else { return Ok(Self { _file: None }) };
        let place = file.display().to_string();
        let mut path = file.into_os_string();
        path.push(".lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let opened = opened.map_err(|error| match error.kind() {
            ErrorKind::NotFound => missing(&place),
            _ => unusable_because(&place, error),
        })?;
        match opened.try_lock() {
            Ok(()) => Ok(Self { _file: Some(opened) }),
            Err(TryLockError::WouldBlock) => Err(UserError::from(text!(
                "Một máy chủ khác đang chạy với cơ sở dữ liệu {place}. Hãy dừng máy chủ đó trước.",
                "Another server is running on the database {place}. Stop that one first."
            ))
            .into()),
            Err(TryLockError::Error(error)) => Err(unusable_because(&place, error).into()),
        }
    }
}

fn missing(place: &str) -> UserError {
    UserError::from(text!(
        "Máy chủ này đã được khởi tạo nhưng cơ sở dữ liệu ({place}) không có hoặc trống, nên máy chủ không chạy. Nếu cơ sở dữ liệu nằm trên \
             ổ đĩa khác, hãy gắn ổ đĩa đó. Nếu đã mất, hãy khôi phục từ bản sao lưu vào thư mục dữ liệu mới (posture-server restore). Chỉ khi không còn \
             bản sao nào mới bắt đầu lại với cơ sở dữ liệu trống (mọi máy phải đăng ký lại): chạy lại đúng lệnh posture-server run vẫn dùng, \
             cùng --data, và thêm --new-store.",
        "This server was initialised, but its database ({place}) is missing or empty, so it does not start. If the database is on another \
             disk, mount that disk. If it is lost, restore it from a backup into a new data folder (posture-server restore). Only where no \
             copy is left, start anew with an empty database (every machine must enrol again): run the usual posture-server run command, with \
             the same --data, and add --new-store."
    ))
}

fn taken(place: &str, owner: &str) -> UserError {
    UserError::from(text!(
        "Trong {place} đã có cơ sở dữ liệu của máy chủ {owner}; cơ sở dữ liệu mới chỉ được tạo ở nơi còn trống. Hãy chạy không có --new-store, \
             hoặc chọn cơ sở dữ liệu khác ở mục [database] (khi init: --database).",
        "There is a database of the server {owner} in {place}; a new one is made only where there is none. Run without --new-store, or name \
             another database in [database] (with init: --database)."
    ))
}

fn foreign(other: &Foreign) -> UserError {
    let (name, ours) = (other.mark.name, other.mark.values.join(" "));
    let stored = other.stored.join(" ");
    if name == SERVER {
        return UserError::from(text!(
            "Cơ sở dữ liệu này thuộc máy chủ khác ({stored}), không phải {ours}. Hãy kiểm tra mục [database] trong server.toml và thư mục --data.",
            "This database belongs to another server ({stored}), not to {ours}. Check [database] in server.toml and the folder named by --data."
        ));
    }
    UserError::from(text!("Khoá hoặc chứng thư {name} trong thư mục dữ liệu không phải của máy chủ đã ghi cơ sở dữ liệu này. Thư mục dữ liệu và cơ sở dữ liệu \
             phải thuộc cùng một máy chủ: hãy khôi phục cả hai từ cùng một bản sao lưu.", "The key or certificate {name} in the data folder is not the one of the server that wrote this database. Both must be of one server: \
             restore data folder and database from the same backup."))
    .because(anyhow::anyhow!("{name}: {ours}; the database has {stored}"))
}

fn damaged(place: &str, cause: impl Into<anyhow::Error>) -> UserError {
    UserError::from(text!("Cơ sở dữ liệu ({place}) bị hỏng, nên máy chủ không chạy. Hãy giữ nguyên tệp hỏng, kiểm tra ổ đĩa rồi khôi phục từ bản sao lưu.", "The database ({place}) is damaged, so the server does not start. Keep the damaged file, check the disk and restore from a backup."))
    .because(cause)
}

fn unusable(place: &str, cause: StoreError) -> UserError {
    if cause.is_damage() {
        return damaged(place, cause);
    }
    if let Some(version) = cause.newer_schema() {
        return UserError::from(text!(
            "Cơ sở dữ liệu ({place}) đã được phiên bản máy chủ mới hơn sử dụng (cấu trúc {version}). Hãy cài phiên bản mới hơn đó; chương trình này không đọc được.",
            "The database ({place}) was used by a newer version of the server (schema {version}). Install that newer version; this program cannot read it."
        ));
    }
    unusable_because(place, cause)
}

fn unusable_because(place: &str, cause: impl Into<anyhow::Error>) -> UserError {
    UserError::from(text!("Không mở được cơ sở dữ liệu ({place}). Hãy kiểm tra mục [database] trong server.toml và xem cơ sở dữ liệu có đang chạy không.", "The database ({place}) cannot be opened. Check [database] in server.toml and whether the database is running."))
    .because(cause)
}
