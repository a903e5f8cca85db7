//! What can go wrong in the store, and what it means for the caller.

use policies::text;
use policies::text::Text;
use sqlx::migrate::MigrateError;

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or could not be reached.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database's schema could not be brought up to date")]
    Migrate(#[from] MigrateError),
    /// The SQLite file was deleted, replaced or unmounted since it was opened.
    #[error("the database's file {0} is no longer the one that was opened: put it back, or start the server again")]
    Gone(String),
    /// Something that is a leaf of the evidence log was stored before the log was opened.
    #[error("the evidence log was not opened")]
    LogClosed,
    /// The evidence log is not what it should be.
    #[error("the evidence log: {0}")]
    Log(String),
    /// Of several chains at least one was moved by another server in the meantime.
    #[error("another server moved a chain first")]
    Contended,
    /// No such thing, or not within the caller's scope; the two are not distinguished.
    #[error("no {} {id:?} within this part of the tree", .what.text().en)]
    NotFound {
        /// What was asked for.
        what: Noun,
        /// The id asked for.
        id: String,
    },
}

/// What the store did not find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// An office.
    Office,
    /// A machine.
    Machine,
    /// An enrolment token.
    Token,
    /// A person.
    Person,
    /// A waiver.
    Waiver,
    /// A line of the roster.
    RosterLine,
    /// A legal hold.
    Hold,
}

impl Noun {
    /// The noun within a sentence.
    pub fn text(self) -> Text {
        match self {
            Self::Office => text!("cơ quan", "office"),
            Self::Machine => text!("máy", "machine"),
            Self::Token => text!("mã đăng ký máy", "token"),
            Self::Person => text!("tài khoản", "person"),
            Self::Waiver => text!("ngoại lệ", "waiver"),
            Self::RosterLine => text!("dòng danh mục", "roster line"),
            Self::Hold => text!("yêu cầu giữ dữ liệu", "legal hold"),
        }
    }
}

/// The result of every method of the store.
pub type StoreResult<T> = Result<T, StoreError>;

/// SQLite's result codes for a damaged file: SQLITE_CORRUPT and SQLITE_NOTADB (<https://sqlite.org/rescode.html>).
const SQLITE_DAMAGED: [i64; 2] = [11, 26];
/// PostgreSQL's codes for the same: `data_corrupted` and `index_corrupted`.
const POSTGRES_DAMAGED: [&str; 2] = ["XX001", "XX002"];

impl StoreError {
    pub(crate) fn not_found(what: Noun, id: &str) -> Self {
        Self::NotFound { what, id: id.to_owned() }
    }

    pub(in crate::store) fn log(cause: impl std::fmt::Display) -> Self {
        Self::Log(cause.to_string())
    }

    /// True when PostgreSQL cannot keep a text: one with a NUL came through a path that does not check with `crate::store::text`.
    pub fn is_text_unusable(&self) -> bool {
        // SQLSTATE character_not_in_repertoire.
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.code().as_deref() == Some("22021"))
    }

    /// True when a row with the same unique value already exists.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// True when the database works but refused the request: no such thing, a value it does not take (SQLite: TOOBIG, CONSTRAINT,
    /// MISMATCH; PostgreSQL: classes 22 and 23).
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Contended | Self::NotFound { .. } => true,
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| match code.parse::<i64>() {
                    Ok(number) if code.len() < 5 => [18, 19, 20].contains(&(number & 0xff)),
                    _ => code.starts_with("22") || code.starts_with("23"),
                })
            }
            _ => false,
        }
    }

    /// True for a failure of the store that waiting may fix: a database that is away, not a refusal or a fault of the program.
    pub fn passes(cause: &anyhow::Error) -> bool {
        cause.downcast_ref::<Self>().is_some_and(|error| !error.is_refusal())
    }

    /// True when what is stored cannot be read because it is damaged: waiting will not fix it.
    pub fn is_damage(&self) -> bool {
        let code = match self {
            Self::Database(sqlx::Error::Database(error))
            | Self::Migrate(
                MigrateError::Execute(sqlx::Error::Database(error))
                | MigrateError::ExecuteMigration(sqlx::Error::Database(error), _),
            ) => error.code(),
            _ => None,
        };
        code.is_some_and(|code| {
            // PostgreSQL's codes have five characters, SQLite's at most four digits.
            POSTGRES_DAMAGED.contains(&&*code)
                // The low byte of an extended result code is the result code.
                || code.len() < 5 && code.parse::<i64>().is_ok_and(|code| SQLITE_DAMAGED.contains(&(code & 0xff)))
        })
    }

    /// The number of a migration in the database that this program does not know: the database belongs to a newer one.
    pub fn newer_schema(&self) -> Option<i64> {
        match self {
            Self::Migrate(MigrateError::VersionMissing(version)) => Some(*version),
            _ => None,
        }
    }
}
