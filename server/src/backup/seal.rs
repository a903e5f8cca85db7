//! Encryption of a copy by age (<https://age-encryption.org/v1>): to a passphrase, or to recipients, each of whom can open it alone. The
//! program `age` opens a copy without this program.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use age::secrecy::SecretString;
use age::{Decryptor, Encryptor};

use policies::text;

use super::{damaged, failed};
use crate::error::UserError;
use crate::secrets::file;

/// The first bytes of an age file.
const MAGIC: &[u8] = b"age-encryption.org/v1\n";
/// Size limit of a file with a passphrase or identities.
const KEY_MOST: u64 = 64 * 1024;
/// The shortest passphrase, in characters: shorter ones can be guessed.
const PASSPHRASE_LEAST: usize = 12;

/// Who can open a copy.
pub enum Lock {
    /// Anyone who gets the file.
    Open,
    /// Anyone who knows the passphrase.
    Passphrase(SecretString),
    /// Anyone who has the identity of one of these recipients.
    Recipients(Vec<age::x25519::Recipient>),
}

/// What opens a copy.
#[derive(Default)]
pub struct Key {
    /// The passphrase, if one was given.
    pub passphrase: Option<SecretString>,
    /// Identities.
    pub identities: Vec<age::x25519::Identity>,
}

/// Where the bytes of a copy go.
pub enum Sink {
    /// As they are.
    Plain(BufWriter<File>),
    /// Encrypted.
    Sealed(age::stream::StreamWriter<BufWriter<File>>),
}

impl Lock {
    /// Begins writing to `file`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn wrap(&self, file: File) -> anyhow::Result<Sink> {
        let out = BufWriter::new(file);
        let encryptor = match self {
            Self::Open => return Ok(Sink::Plain(out)),
            Self::Passphrase(passphrase) => Encryptor::with_user_passphrase(passphrase.clone()),
            Self::Recipients(recipients) => {
                Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as &dyn age::Recipient))?
            }
        };
        Ok(Sink::Sealed(encryptor.wrap_output(out)?))
    }

    /// Whether the copy is encrypted.
    pub fn is_sealed(&self) -> bool {
        !matches!(self, Self::Open)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Sealed(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Sealed(out) => out.flush(),
        }
    }
}

impl Sink {
    /// Writes what is left, through to the disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> std::io::Result<()> {
        let out = match self {
            Self::Plain(out) => out,
            Self::Sealed(out) => out.finish()?,
        };
        out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
    }
}

/// Opens a copy for reading, whether it is encrypted or not.
///
/// # Errors
/// It cannot be read, is not a plain file, or `key` does not open it.
pub fn open(path: &Path, key: &Key) -> anyhow::Result<Box<dyn Read>> {
    let not_plain = || UserError::from(text!("{} không phải tệp.", "{} is not a file.", path.display()));
    // Checked before: opening a pipe would wait for somebody to write.
    if !std::fs::metadata(path).map_err(|cause| failed(path, cause))?.is_file() {
        return Err(not_plain().into());
    }
    let file = File::open(path).map_err(|cause| failed(path, cause))?;
    let mut input = BufReader::new(file);
    if !input.fill_buf().map_err(|cause| failed(path, cause))?.starts_with(MAGIC) {
        return Ok(Box::new(input));
    }
    let decryptor = Decryptor::new_buffered(input).map_err(damaged)?;
    let wanted =
        |vi: &str, en: &str| UserError::from(text!("Bản sao lưu được mã hoá: {vi}.", "The backup is encrypted: {en}."));
    let opened = if decryptor.is_scrypt() {
        let passphrase = key.passphrase.clone().ok_or_else(|| {
            wanted("hãy nêu --passphrase hoặc --passphrase-file", "give --passphrase or --passphrase-file")
        })?;
        decryptor.decrypt(std::iter::once(&age::scrypt::Identity::new(passphrase) as &dyn age::Identity))
    } else {
        if key.identities.is_empty() {
            return Err(wanted("hãy nêu --identity", "give --identity").into());
        }
        decryptor.decrypt(key.identities.iter().map(|identity| identity as &dyn age::Identity))
    };
    let opened = opened.map_err(|cause| {
        wanted("mật khẩu hoặc khoá đã nêu không mở được", "the passphrase or identity that was named does not open it")
            .because(cause)
    })?;
    Ok(Box::new(opened))
}

/// A recipient as age writes it (`age1...`).
///
/// # Errors
/// It is not one.
pub fn recipient_read(text: &str) -> anyhow::Result<age::x25519::Recipient> {
    text.trim().parse().map_err(|cause: &str| {
        UserError::from(text!(
            "{text:?} không phải khoá công khai của age (age1...).",
            "{text:?} is not an age recipient (age1...)."
        ))
        .because(anyhow::anyhow!(cause.to_owned()))
        .into()
    })
}

/// A passphrase from the first line of a file that only its owner may read.
///
/// # Errors
/// The file cannot be read, others may read it, or the passphrase is too short.
pub fn passphrase_read(path: &Path) -> anyhow::Result<SecretString> {
    passphrase(&secret_lines(path)?.into_iter().next().unwrap_or_default())
}

/// A passphrase as it was typed.
///
/// # Errors
/// It is too short.
pub fn passphrase(text: &str) -> anyhow::Result<SecretString> {
    if text.chars().count() < PASSPHRASE_LEAST {
        return Err(UserError::from(text!(
            "Mật khẩu của bản sao lưu phải có ít nhất {PASSPHRASE_LEAST} ký tự.",
            "The passphrase of a backup needs at least {PASSPHRASE_LEAST} characters."
        ))
        .into());
    }
    Ok(SecretString::from(text.to_owned()))
}

/// The identities in a file as `age-keygen` writes it, which only its owner may read.
///
/// # Errors
/// The file cannot be read, others may read it, or it holds none.
pub fn identities_read(path: &Path) -> anyhow::Result<Vec<age::x25519::Identity>> {
    let lines = secret_lines(path)?;
    let identities: Vec<age::x25519::Identity> = lines.iter().filter_map(|line| line.trim().parse().ok()).collect();
    if identities.is_empty() {
        let shown = path.display();
        return Err(UserError::from(text!(
            "{shown} không có khoá nào của age (AGE-SECRET-KEY-1...).",
            "{shown} holds no identity of age (AGE-SECRET-KEY-1...)."
        ))
        .into());
    }
    Ok(identities)
}

fn secret_lines(path: &Path) -> anyhow::Result<Vec<String>> {
    file::private_check(path)?;
    let opened = File::open(path).map_err(|cause| failed(path, cause))?;
    let mut text = String::new();
    opened.take(KEY_MOST).read_to_string(&mut text).map_err(|cause| failed(path, cause))?;
    Ok(text.lines().map(str::to_owned).collect())
}
