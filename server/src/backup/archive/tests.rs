//! A copy reads back exactly, and no other bytes do.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::{AuditHead, FORMAT};
use super::*;

fn manifest(files: Vec<FileEntry>) -> Manifest {
    Manifest {
        format: FORMAT,
        program: "0.2.0".to_owned(),
        server: "s".to_owned(),
        made_at: 1_795_996_800_000,
        database: "sqlite".to_owned(),
        schema: 6,
        audit: AuditHead { number: 0, hash: "0".to_owned() },
        files,
    }
}

fn copy(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), 1_795_996_800);
    for (name, bytes) in files {
        writer.add(name, bytes.len() as u64, &mut &**bytes).unwrap();
    }
    writer.finish(manifest).unwrap().0
}

fn whole() -> Vec<u8> {
    copy(&[("server.toml", b"version = 1\n"), ("secrets/receipt.key", b"key"), ("database.sqlite", &[7; 700])])
}

fn sink<'w>(_: &str, _: u64) -> anyhow::Result<Box<dyn Write + 'w>> {
    Ok(Box::new(std::io::sink()))
}

fn reads(bytes: &[u8]) -> bool {
    read(&mut &*bytes, sink).is_ok()
}

#[derive(Clone, Default)]
struct Files(Rc<RefCell<BTreeMap<String, Vec<u8>>>>);

struct Into(Files, String);

impl Write for Into {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.0.borrow_mut().entry(self.1.clone()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_copy_reads_back_to_the_letter() {
    let files = Files::default();
    let read = read(&mut whole().as_slice(), |name, _| Ok(Box::new(Into(files.clone(), name.to_owned())))).unwrap();
    let files = files.0.take();
    assert_eq!(files["server.toml"], b"version = 1\n");
    assert_eq!((files["secrets/receipt.key"].as_slice(), files["database.sqlite"].len()), (b"key".as_slice(), 700));
    let names: Vec<&str> = read.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["server.toml", "secrets/receipt.key", "database.sqlite"]);
}

/// Every bit of every byte, and every length.
#[test]
fn no_byte_may_be_another_and_none_may_miss() {
    let whole = whole();
    assert!(reads(&whole));
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(!reads(&changed), "byte {at} of {}", whole.len());
        assert!(!reads(&whole[..at]), "cut at {at}");
    }
    assert!(!reads(&[whole.as_slice(), b"\0"].concat()));
    assert!(!reads(&[whole.as_slice(), &whole].concat()));
}

#[test]
fn what_leads_elsewhere_is_refused() {
    for name in [
        "../server.toml",
        "/etc/passwd",
        "secrets/../x",
        "secrets/a/b",
        "offline/x.key",
        "secrets/.x",
        "secrets/",
        "secrets",
        "database.db",
        "programs/a b",
        "C:\\x",
        "secrets/x\0y",
    ] {
        assert!(Writer::new(Vec::new(), 0).add(name, 0, &mut std::io::empty()).is_err(), "{name:?}");
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(0);
        header.set_mode(0o600);
        header.set_mtime(0);
        header.set_cksum();
        assert!(!reads(&[header.as_bytes().as_slice(), &[0; 1024]].concat()), "{name:?}");
    }
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Directory,
        EntryType::Char,
        EntryType::GNUSparse,
        EntryType::XHeader,
    ] {
        let mut header = header("secrets/receipt.key", 0, 0).unwrap();
        header.set_entry_type(kind);
        header.set_cksum();
        assert!(!reads(&[header.as_bytes().as_slice(), &[0; 1024]].concat()), "{kind:?}");
    }
    // Declared sizes that do not match, or are larger than such a file can be.
    for (name, size) in [
        ("secrets/receipt.key", u64::MAX),
        ("secrets/receipt.key", 2 << 20),
        ("programs/a.deb", 1 << 40),
        ("database.sqlite", 1 << 60),
    ] {
        let header = header(name, size, 0).unwrap();
        assert!(!reads(&[header.as_bytes().as_slice(), &[0; 1024]].concat()), "{name} {size}");
    }
    let twice = [("server.toml", b"a".as_slice()), ("server.toml", b"a".as_slice())];
    assert!(!reads(&copy(&twice)), "one file twice");
    assert!(!reads(b""));
    assert!(!reads(&[0; 1024]), "an archive of nothing");
}

#[test]
fn a_file_that_grows_or_shrinks_meanwhile_is_no_copy() {
    for bytes in [b"four".as_slice(), b"fourteen"] {
        let mut writer = Writer::new(Vec::new(), 0);
        assert!(writer.add("server.toml", 6, &mut &*bytes).is_err());
    }
}
