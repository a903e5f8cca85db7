//! The archive: a tar file whose every byte follows from the names, sizes and contents of its files, so that any changed or missing byte
//! shows. It holds only plain files under known names: no link, folder or device is possible, and nothing is compressed, so the output is
//! never larger than the archive.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, bail, ensure};
use protocol::Digest;
use tar::{EntryType, Header};

use super::{FILES_MOST, FileEntry, MANIFEST, MANIFEST_DIGEST, Manifest, damaged, most_of};

const BLOCK: usize = 512;
/// Bytes moved at once.
const CHUNK: usize = 64 * 1024;

/// Writes a copy.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    made_at_s: u64,
    files: Vec<FileEntry>,
}

impl<W: Write> Writer<W> {
    /// Starts a copy made at `made_at_s`, seconds since 1970.
    pub fn new(out: W, made_at_s: u64) -> Self {
        Self { out, made_at_s, files: Vec::new() }
    }

    /// Adds a file of exactly `size` bytes.
    ///
    /// # Errors
    /// The name does not belong in a copy, `from` has fewer or more bytes, or something cannot be read or written.
    pub fn add(&mut self, name: &str, size: u64, from: &mut dyn Read) -> anyhow::Result<()> {
        let most = most_of(name).with_context(|| format!("{name:?} has no place in a copy"))?;
        ensure!(size <= most, "{name} has {size} bytes, allowed are {most}");
        self.out.write_all(header(name, size, self.made_at_s)?.as_bytes())?;
        let sha256 = pour(from, &mut self.out, size)?;
        ensure!(from.read(&mut [0])? == 0, "{name} grew while it was copied");
        self.out.write_all(&[0; BLOCK][..padding(size)])?;
        self.files.push(FileEntry { name: name.to_owned(), size, sha256 });
        Ok(())
    }

    /// Writes the manifest, which `describe` makes from the files, and the end.
    ///
    /// # Errors
    /// Something cannot be written.
    pub fn finish(mut self, describe: impl FnOnce(Vec<FileEntry>) -> Manifest) -> anyhow::Result<(W, Manifest)> {
        let manifest = describe(self.files.clone());
        let text = serde_json::to_vec_pretty(&manifest)?;
        self.add(MANIFEST, text.len() as u64, &mut text.as_slice())?;
        let digest = digest_line(&text);
        self.add(MANIFEST_DIGEST, digest.len() as u64, &mut digest.as_bytes())?;
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok((self.out, manifest))
    }
}

fn digest_line(manifest: &[u8]) -> String {
    format!("{}  {MANIFEST}\n", Digest::of(manifest))
}

fn header(name: &str, size: u64, made_at_s: u64) -> anyhow::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(made_at_s);
    header.set_cksum();
    Ok(header)
}

fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    (BLOCK - over) % BLOCK
}

/// Moves exactly `size` bytes; returns their SHA-256.
fn pour(from: &mut dyn Read, to: &mut dyn Write, size: u64) -> anyhow::Result<Digest> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut left = size;
    let mut chunk = vec![0; CHUNK];
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let got = match from.read(&mut chunk[..wanted]) {
            Ok(0) => bail!("{left} bytes are missing"),
            Ok(got) => got,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        context.update(&chunk[..got]);
        to.write_all(&chunk[..got])?;
        left -= got as u64;
    }
    Ok(data_encoding::HEXLOWER.encode(context.finish().as_ref()).parse()?)
}

/// Reads a copy from start to end, hands every file before the manifest to `place` (which returns where its bytes go), and checks all of
/// it. After an error, what was written must be discarded.
///
/// # Errors
/// The copy is truncated, damaged or not ours; or a file cannot be written.
pub fn read<'w>(
    from: &mut dyn Read,
    mut place: impl FnMut(&str, u64) -> anyhow::Result<Box<dyn Write + 'w>>,
) -> anyhow::Result<Manifest> {
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    let mut manifest: Option<Vec<u8>> = None;
    let mut ended = false;
    while let Some((name, size)) = entry_next(from).map_err(damaged)? {
        if ended || seen.len() > FILES_MOST || !seen.insert(name.clone()) {
            return Err(damaged(anyhow::anyhow!("{name:?} stands where nothing may")));
        }
        let mut kept = Vec::new();
        let sha256 = if name == MANIFEST || name == MANIFEST_DIGEST {
            pour(from, &mut kept, size).map_err(damaged)?
        } else {
            if manifest.is_some() {
                return Err(damaged(anyhow::anyhow!("{name:?} follows the manifest")));
            }
            let mut out = place(&name, size)?;
            let sha256 = pour(from, &mut *out, size).map_err(damaged)?;
            out.flush()?;
            sha256
        };
        zeros(from, padding(size)).map_err(damaged)?;
        match (name.as_str(), &manifest) {
            (MANIFEST, _) => manifest = Some(kept),
            (MANIFEST_DIGEST, Some(text)) if kept == digest_line(text).as_bytes() => ended = true,
            (MANIFEST_DIGEST, _) => return Err(damaged(anyhow::anyhow!("the manifest does not have its digest"))),
            _ => files.push(FileEntry { name, size, sha256 }),
        }
    }
    let text = manifest.filter(|_| ended).ok_or_else(|| damaged(anyhow::anyhow!("the end is missing")))?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(damaged)?;
    if let Some((found, said)) = files.iter().zip(&manifest.files).find(|(found, said)| found != said) {
        return Err(damaged(anyhow::anyhow!("{} is not the {} of the manifest", found.name, said.name)));
    }
    if files.len() != manifest.files.len() {
        return Err(damaged(anyhow::anyhow!("{} files of {}", files.len(), manifest.files.len())));
    }
    Ok(manifest)
}

/// The name and size of the next file; `None` at the end of the archive, after which nothing may follow.
fn entry_next(from: &mut dyn Read) -> anyhow::Result<Option<(String, u64)>> {
    let mut block = [0; BLOCK];
    from.read_exact(&mut block)?;
    if block == [0; BLOCK] {
        zeros(from, BLOCK)?;
        ensure!(from.read(&mut [0])? == 0, "something stands behind the end");
        return Ok(None);
    }
    let said = Header::from_byte_slice(&block);
    let name = String::from_utf8(said.path_bytes().into_owned())?;
    let size = said.entry_size()?;
    let most = most_of(&name).with_context(|| format!("{name:?} has no place in a copy"))?;
    ensure!(size <= most, "{name:?} has {size} bytes, allowed are {most}");
    // Links, devices, other owners, long names: whatever this program would not have written.
    ensure!(header(&name, size, said.mtime()?)?.as_bytes() == &block, "{name:?} is described in another way than ours");
    Ok(Some((name, size)))
}

fn zeros(from: &mut dyn Read, count: usize) -> anyhow::Result<()> {
    let mut block = [0; BLOCK];
    let part = &mut block[..count];
    from.read_exact(part)?;
    ensure!(part.iter().all(|byte| *byte == 0), "bytes where none belong");
    Ok(())
}

#[cfg(test)]
mod tests;
