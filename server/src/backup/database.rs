//! The database in a copy: dumped from the running one, restored into an empty one. For PostgreSQL its own programs do the work; they
//! get the password in their environment, never on their command line.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use policies::text;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::failed;
use crate::error::UserError;
use crate::store::Db;

/// PostgreSQL's program that writes copies.
const DUMP: &str = "pg_dump";
/// PostgreSQL's program that reads them.
const RESTORE: &str = "pg_restore";

/// Opens the database of an existing server as it is, without bringing its schema up to date.
///
/// # Errors
/// It is missing or cannot be reached.
pub async fn attach(data: &Path, url: &str) -> anyhow::Result<Db> {
    let opened = match url.strip_prefix("sqlite:") {
        Some(name) => {
            let file = data.join(name);
            if !file.is_file() {
                return Err(failed(&file, std::io::Error::from(std::io::ErrorKind::NotFound)));
            }
            Db::open_sqlite(&file).await
        }
        None => Db::open_postgres(url).await,
    };
    opened.map_err(|cause| {
        UserError::new(
            "Không mở được cơ sở dữ liệu. Hãy kiểm tra mục [database] trong server.toml và xem cơ sở dữ liệu có đang chạy không.",
            "The database cannot be opened. Check [database] in server.toml and whether the database is running.",
        )
        .because(cause)
        .into()
    })
}

/// Refuses when PostgreSQL's program for copies is missing or older than the `server`'s main version, which it could not read.
///
/// # Errors
/// It is missing or too old; the message names the Debian package.
pub fn dump_check(server: u32) -> anyhow::Result<()> {
    program_check(DUMP, server)
}

/// The same for the program that restores copies.
///
/// # Errors
/// It is missing or too old; the message names the Debian package.
pub fn restore_check(server: u32) -> anyhow::Result<()> {
    program_check(RESTORE, server)
}

fn program_check(program: &str, server: u32) -> anyhow::Result<()> {
    let said = match command(program).arg("--version").output() {
        Ok(said) => said,
        Err(cause) => {
            return Err(UserError::from(text!(
                "Không tìm thấy chương trình {program} của PostgreSQL. Hãy cài: apt install postgresql-client-{server}",
                "PostgreSQL's program {program} is missing. Install it: apt install postgresql-client-{server}"
            ))
            .because(cause)
            .into());
        }
    };
    // "pg_dump (PostgreSQL) 15.6 (Debian 15.6-0+deb12u1)"
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let version = said.split_whitespace().find_map(|word| word.split('.').next()?.parse::<u32>().ok());
    if version.is_some_and(|version| version >= server) {
        return Ok(());
    }
    let found = version.map_or_else(|| "?".to_owned(), |version| version.to_string());
    Err(UserError::from(text!("{program} phiên bản {found} cũ hơn máy chủ PostgreSQL {server}. Hãy cài: apt install postgresql-client-{server}", "{program} of version {found} is older than the PostgreSQL server {server}. Install: apt install postgresql-client-{server}"))
    .into())
}

/// Writes all of the PostgreSQL database `url`, as the snapshot of this name sees it, into the new file `to`.
///
/// # Errors
/// `pg_dump` fails; its own message is appended.
pub async fn dump(url: &str, snapshot: &str, to: &Path) -> anyhow::Result<()> {
    let mut command = connected(DUMP, url)?;
    command.args(["--format=custom", "--no-owner", "--no-privileges", "--no-password"]);
    command.arg(format!("--snapshot={snapshot}")).arg("--file").arg(to);
    done(DUMP, run(command).await?)
}

/// Restores the file `from` into the empty PostgreSQL database `url`, all or nothing.
///
/// # Errors
/// `pg_restore` fails; its own message is appended.
pub async fn put_back(url: &str, from: &Path) -> anyhow::Result<()> {
    let mut command = connected(RESTORE, url)?;
    let options: PgConnectOptions = url.parse()?;
    command.args(["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-password"]);
    command.arg("--dbname").arg(options.get_database().unwrap_or(options.get_username())).arg(from);
    done(RESTORE, run(command).await?)
}

/// The error for a restore that failed after everything was written into the PostgreSQL database `url`, which must be emptied before the
/// next try. Nothing is removed from it here, because other data may be there by then.
pub fn filled(url: &str, cause: anyhow::Error) -> anyhow::Error {
    let options = url.parse::<PgConnectOptions>().unwrap_or_default();
    let user = options.get_username();
    let name = options.get_database().unwrap_or(user);
    let commands = format!("dropdb {name} && createdb --owner={user} {name}");
    UserError::from(text!("Khôi phục không hoàn tất. Cơ sở dữ liệu PostgreSQL {name} đã chứa dữ liệu của bản sao lưu, máy chủ thì chưa dùng được. \
             Trước khi khôi phục lại, hãy xoá và tạo lại cơ sở dữ liệu này bằng tài khoản quản trị PostgreSQL: {commands}", "The restore was not completed. The PostgreSQL database {name} holds the data of the backup now, but the server cannot be used. \
             Before the next try, drop the database and make it anew with an administrator's account of PostgreSQL: {commands}"))
    .because(cause)
    .into()
}

async fn run(mut command: Command) -> anyhow::Result<Output> {
    // The transaction that holds the snapshot is kept open meanwhile.
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

fn done(program: &str, output: Output) -> anyhow::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said: String = String::from_utf8_lossy(&output.stderr).chars().take(2000).collect();
    Err(UserError::from(text!("{program} không thực hiện được.", "{program} failed."))
        .because(anyhow::anyhow!("{}", said.trim().to_owned()))
        .into())
}

fn command(program: &str) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server has no door to the system; the two programs are named above"
    )]
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).env("LC_ALL", "C");
    command
}

/// The program, with host and user in its environment as libpq reads them.
fn connected(program: &str, url: &str) -> anyhow::Result<Command> {
    let options: PgConnectOptions = url.parse()?;
    let mut command = command(program);
    let host = options.get_socket().map_or_else(|| options.get_host().into(), |socket| socket.as_os_str().to_owned());
    command.env("PGHOST", host).env("PGPORT", options.get_port().to_string()).env("PGUSER", options.get_username());
    command.env("PGDATABASE", options.get_database().unwrap_or(options.get_username()));
    let mode = match options.get_ssl_mode() {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    };
    command.env("PGSSLMODE", mode);
    let (password, root) = secrets_of(url);
    command.envs(password.map(|password| ("PGPASSWORD", password)));
    command.envs(root.map(|root| ("PGSSLROOTCERT", root)));
    Ok(command)
}

/// The password of a database's address, and its `sslrootcert`.
fn secrets_of(url: &str) -> (Option<String>, Option<String>) {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let parameter =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(decoded));
    let user = place.split('/').next().and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| decoded(password));
    (parameter("password").or(password), parameter("sslrootcert").or_else(|| parameter("ssl-root-cert")))
}

/// Percent-decodes a text.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let coded = (byte == b'%').then(|| after.get(..2)).flatten();
        let value = coded.and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        (rest, _) = match value {
            Some(value) => (&after[2..], bytes.push(value)),
            None => (after, bytes.push(byte)),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use policies::text::Language;

    use super::*;

    #[test]
    fn a_database_that_was_filled_is_named_with_how_to_empty_it() {
        let told = filled("postgres://tram:geheim@10.0.0.7/an", anyhow::anyhow!("disk full"));
        let [vi, en] = [Language::Vi, Language::En].map(|language| UserError::render(&told, language));
        assert!(vi.contains("Cơ sở dữ liệu PostgreSQL an đã chứa dữ liệu") && vi.ends_with("disk full"), "{vi}");
        assert!(en.contains("dropdb an && createdb --owner=tram an") && !en.contains("geheim"), "{en}");
    }

    #[test]
    fn the_password_goes_by_the_environment() {
        let url = "postgres://tram:p%40s%2Fs:w@[::1]:5433/tram?sslmode=verify-full&sslrootcert=/etc/ca.pem";
        assert_eq!(secrets_of(url), (Some("p@s/s:w".to_owned()), Some("/etc/ca.pem".to_owned())));
        assert_eq!(secrets_of("postgres://tram@localhost/tram"), (None, None));
        assert_eq!(
            secrets_of("postgres:///tram?host=/run/postgresql&password=a%20b%"),
            (Some("a b%".to_owned()), None)
        );
        let command = connected(DUMP, "postgres://tram:geheim@10.0.0.7/tram").unwrap();
        assert!(command.get_args().all(|word| !word.to_string_lossy().contains("geheim")));
        let set = |name: &str| command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value?.to_str());
        assert_eq!((set("PGPASSWORD"), set("PGHOST"), set("PGPORT")), (Some("geheim"), Some("10.0.0.7"), Some("5432")));
    }
}
