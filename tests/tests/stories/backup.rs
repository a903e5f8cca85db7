//! A server is copied while it runs, lost with its disk, and restored; its machines continue without anybody touching them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use harness::process::{Answer, answer};
use harness::test_server::TestServer;
use harness::wait;
use serde_json::Value;

use super::books::Kind;
use super::world::{World, append, on_both};

on_both! {
    a_lost_server_comes_back_and_its_machines_go_on;
    an_encrypted_copy_opens_for_whom_it_is;
    what_cannot_be_put_back_is_refused_by_name;
}

/// Made for these stories with `age-keygen`.
const IDENTITY: &str = "AGE-SECRET-KEY-1Y79GHJE3ZSRY34TS6W5LV4S870JKSYSMMRUNX26AT0GGCPHYNSGSXPCASQ";
const RECIPIENT: &str = "age1refsr26ut0xvj7gh4lhtze6lu2tcm2h94gl8jpsq9cg5t8aa6ekqtz3rgk";

/// Makes a copy; returns its file.
fn copy(world: &World, folder: &Path, more: &[&str]) -> anyhow::Result<PathBuf> {
    let folder = folder.to_string_lossy();
    let made: Value = world.test_server.ask(&[&["backup", &folder], more].concat())?;
    Ok(PathBuf::from(made["file"].as_str().unwrap_or_default()))
}

fn folder(world: &World) -> anyhow::Result<PathBuf> {
    let folder = world.path("copies");
    std::fs::create_dir(&folder)?;
    Ok(folder)
}

/// Runs a command in English that must exit with `code`.
fn said(test_server: &TestServer, words: &[&str], code: i32) -> anyhow::Result<Answer> {
    let said = answer(test_server.command(words).args(["--lang", "en"]))?;
    anyhow::ensure!(said.code == Some(code), "{words:?}: {said:?}");
    Ok(said)
}

fn refused(test_server: &TestServer, words: &[&str], why: &str) -> anyhow::Result<()> {
    let said = said(test_server, words, 2)?;
    anyhow::ensure!(said.err.contains(why), "{words:?} was not refused for {why:?}: {said:?}");
    Ok(())
}

fn a_lost_server_comes_back_and_its_machines_go_on(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let copies = folder(&world)?;
    let mut server = world.serve()?;
    let etc = world.etc()?;
    let test_agent = world.enrolled("machine")?.with_etc(etc.clone());
    let mut agent = world.run(&test_agent)?;
    world.reports_beyond(0)?;
    let programs = world.test_server.data().join("programs");
    std::fs::create_dir(&programs)?;
    std::fs::write(programs.join("tram-an-agent_0.2.0_amd64.deb"), "a program")?;
    std::os::unix::fs::symlink("/etc/passwd", programs.join("link.deb"))?;

    let before = world.checkpoint_keep("before")?;
    let made = copy(&world, &copies, &[])?;
    assert_eq!(std::fs::metadata(&made)?.permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&copies)?.count(), 1, "nothing else lies there");
    assert!(!world.test_server.data().join("backup.part").exists());
    let file = made.to_string_lossy().into_owned();
    let manifest: Value = world.test_server.ask(&["backup", "verify", &file])?;
    let names: Vec<&str> =
        manifest["files"].as_array().into_iter().flatten().filter_map(|file| file["name"].as_str()).collect();
    assert!(names.contains(&"secrets/client-ca.key") && names.contains(&"programs/tram-an-agent_0.2.0_amd64.deb"));
    assert!(!names.iter().any(|name| name.contains("link") || name.starts_with("offline")), "{names:?}");
    assert_eq!(world.books.count("select count(*) from audit_entry where action = 'backup_made'")?, 1);

    // What comes after the copy is lost with the server.
    let copied = world.books.count("select count(*) from report")?;
    append(&etc.join("hosts"), "203.0.113.1 doi-dia-chi.example")?;
    world.reports_beyond(copied)?;
    let after = world.checkpoint_keep("after")?;
    server.running.kill()?;
    std::fs::remove_dir_all(world.test_server.data())?;
    world.books.lose()?;

    let restored: Value = world.test_server.ask(&["restore", &file])?;
    assert_eq!((&restored["epoch"], &restored["audit_broken"]), (&2.into(), &Value::Null), "{restored}");
    assert!(world.test_server.data().join("programs/tram-an-agent_0.2.0_amd64.deb").exists());
    let _server = world.serve()?;
    append(&etc.join("hosts"), "203.0.113.2 doi-dia-chi-2.example")?;
    wait::until("the segment after the restore", wait::PATIENCE * 3, || {
        Ok((world.books.count("select count(*) from segment where kind = 'server_behind'")? == 1).then_some(()))
    })
    .map_err(|error| error.context(world.logs()))?;
    let count = world.reports_beyond(0)?;
    append(&etc.join("hosts"), "203.0.113.3 doi-dia-chi-3.example")?;
    world.reports_beyond(count)?;
    world.assert_whole()?;
    world.test_server.ask::<Value>(&["audit", "verify"])?;
    assert_eq!(world.books.count("select count(*) from audit_entry where action = 'put_back'")?, 1);
    // What was signed before the copy is continued; that something came after it and is lost can be shown.
    world.test_server.ask::<Value>(&["verify", "log", "--against", &before])?;
    let differs = said(&world.test_server, &["verify", "log", "--against", &after], 1)?;
    anyhow::ensure!(differs.out.contains("contradicts the checkpoint that was kept (epoch 1"), "{differs:?}");
    let first: Value = world.test_server.ask(&["log", "prove", "0"])?;
    assert!(first["subject"].as_str().unwrap_or_default().starts_with("checkpoint 1 "), "{first}");
    let epochs: Value = world.test_server.ask(&["log", "epochs"])?;
    assert_eq!((&epochs[0]["reason"], &epochs[0]["before_epoch"]), (&"restored".into(), &1.into()), "{epochs}");
    assert_eq!(world.books.count("select count(*) from machine")?, 1, "nobody enrolled anew");
    let office: Value = world.test_server.office_show(&world.office)?;
    assert_eq!(office["grade"]["coverage"]["covered"], 1, "{}", office["grade"]["coverage"]);
    assert_eq!(office["machines"][0]["grade"]["state"], "scored");
    // The machine kept what the server said before and after; it asks how the one follows from the other, and shows the break.
    agent.kill()?;
    answer(test_agent.command("once").arg("--json"))?;
    let proofs = world.path("proofs.json").to_string_lossy().into_owned();
    let kept = answer(test_agent.command("receipts").args(["--json", "--export", &proofs]))?;
    assert_eq!(kept.code, Some(0), "{kept:?}");
    let kept: Value = serde_json::from_str(&kept.out)?;
    assert_eq!(
        (&kept["contradictions"], &kept["bad"], &kept["signed"]),
        (&serde_json::json!([]), &0.into(), &0.into())
    );
    assert_eq!(kept["restored"].as_array().map(Vec::len), Some(1), "{kept}");
    assert!(kept["restored"][0]["epoch"].as_u64() > Some(1), "{kept}");
    let proofs: Value = serde_json::from_slice(&std::fs::read(&proofs)?)?;
    let count = proofs["proofs"].as_array().map_or(0, Vec::len);
    assert!(count > 3 && Some(count as u64) == kept["logged"].as_u64(), "{count} proofs: {kept}");
    let said = answer(test_agent.command("receipts").args(["--lang", "en"]))?;
    assert!(said.out.contains("server_restored"), "{said:?}");
    Ok(())
}

fn an_encrypted_copy_opens_for_whom_it_is(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let copies = folder(&world)?;
    let secret = |name: &str, text: &str| -> anyhow::Result<String> {
        let path = world.path(name);
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
        Ok(path.to_string_lossy().into_owned())
    };
    let passphrase = secret("passphrase", "một câu dài mà chỉ mình biết\n")?;
    let wrong = secret("wrong", "một câu khác cũng dài như thế\n")?;
    let identity = secret("identity", &format!("# created\n{IDENTITY}\n"))?;
    refused(
        &world.test_server,
        &["backup", &copies.to_string_lossy(), "--recipient", "age1nonsense"],
        "not an age recipient",
    )?;
    refused(
        &world.test_server,
        &["backup", &copies.to_string_lossy(), "--passphrase-file", &secret("short", "ngắn\n")?],
        "at least 12",
    )?;
    std::fs::set_permissions(world.path("wrong"), PermissionsExt::from_mode(0o644))?;
    refused(&world.test_server, &["backup", &copies.to_string_lossy(), "--passphrase-file", &wrong], "chmod 600")?;
    std::fs::set_permissions(world.path("wrong"), PermissionsExt::from_mode(0o600))?;

    let by_phrase = copy(&world, &copies, &["--passphrase-file", &passphrase])?;
    let phrase = by_phrase.to_string_lossy().into_owned();
    assert!(phrase.ends_with(".tar.age"));
    assert!(std::fs::read(&by_phrase)?.starts_with(b"age-encryption.org/v1\n"));
    refused(&world.test_server, &["backup", "verify", &phrase], "encrypted")?;
    refused(&world.test_server, &["backup", "verify", &phrase, "--passphrase-file", &wrong], "does not open it")?;
    refused(&world.test_server, &["backup", "verify", &phrase, "--identity", &identity], "encrypted")?;
    said(&world.test_server, &["backup", "verify", &phrase, "--passphrase-file", &passphrase], 0)?;
    std::fs::remove_file(&by_phrase)?;

    let sealed = copy(&world, &copies, &["--recipient", RECIPIENT, "--keep", "1"])?.to_string_lossy().into_owned();
    refused(&world.test_server, &["backup", "verify", &sealed], "--identity")?;
    let whole = std::fs::read(&sealed)?;
    for damaged in [
        &whole[..whole.len() - 1],
        &[&whole[..whole.len() / 2], &[!whole[whole.len() / 2]], &whole[whole.len() / 2 + 1..]].concat(),
    ] {
        let path = world.path("damaged.tar.age");
        std::fs::write(&path, damaged)?;
        refused(
            &world.test_server,
            &["backup", "verify", &path.to_string_lossy(), "--identity", &identity],
            "damaged",
        )?;
    }
    std::fs::remove_dir_all(world.test_server.data())?;
    world.books.lose()?;
    said(&world.test_server, &["restore", &sealed, "--identity", &identity], 0)?;
    assert_eq!(world.books.count("select count(*) from office")?, 1);
    let _server = world.serve()?;
    Ok(())
}

fn what_cannot_be_put_back_is_refused_by_name(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let copies = folder(&world)?;
    let into = copies.to_string_lossy().into_owned();
    refused(&world.test_server, &["backup", &world.test_server.data().to_string_lossy()], "lies in the data folder")?;
    refused(&world.test_server, &["backup", &world.path("nowhere").to_string_lossy()], "nowhere")?;
    if kind == Kind::Postgres {
        let old = world.path("old");
        std::fs::create_dir(&old)?;
        std::fs::write(old.join("pg_dump"), "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")?;
        std::fs::set_permissions(old.join("pg_dump"), PermissionsExt::from_mode(0o755))?;
        for (path, why) in [(world.path("nothing"), "pg_dump is missing"), (old, "9 is older than")] {
            let test_server = world.test_server.clone().with_variable("PATH", &path.to_string_lossy());
            refused(&test_server, &["backup", &into], why)?;
            refused(&test_server, &["backup", &into], "apt install postgresql-client-")?;
        }
        assert_eq!(std::fs::read_dir(&copies)?.count(), 0, "nothing is left of what failed");
    }
    let unencrypted = said(&world.test_server, &["backup", &into], 0)?;
    assert!(unencrypted.err.contains("holds the server's keys"), "{unencrypted:?}");
    let made = std::fs::read_dir(&copies)?.flatten().next().map(|entry| entry.path()).unwrap_or_default();
    let whole = std::fs::read(&made)?;
    let file = made.to_string_lossy().into_owned();

    // Only on an empty machine.
    refused(
        &world.test_server,
        &["restore", &file],
        if kind == Kind::Sqlite { "There is a server" } else { "not empty" },
    )?;
    let elsewhere = TestServer::new(world.programs.server.clone(), world.path("elsewhere"));
    std::fs::create_dir(elsewhere.data())?;
    std::fs::write(elsewhere.data().join("diary.txt"), "mine")?;
    refused(&elsewhere, &["restore", &file], "not empty")?;
    std::fs::remove_file(elsewhere.data().join("diary.txt"))?;

    // Truncated or changed anywhere, or not a copy at all: refused before anything is written.
    let bad = world.path("bad.tar");
    let name = bad.to_string_lossy().into_owned();
    let changed = |at: usize| [&whole[..at], &[whole[at] ^ 1], &whole[at + 1..]].concat();
    for bytes in [
        whole[..whole.len() - 1].to_vec(),
        whole[..whole.len() / 2].to_vec(),
        whole[..512].to_vec(),
        Vec::new(),
        changed(whole.len() / 2),
        changed(0),
        changed(whole.len() - 3000),
        b"PK\x03\x04 not ours".to_vec(),
    ] {
        std::fs::write(&bad, bytes)?;
        refused(&elsewhere, &["restore", &name], "damaged")?;
        refused(&elsewhere, &["restore", "--check", &name], "damaged")?;
        assert_eq!(std::fs::read_dir(elsewhere.data())?.count(), 0);
    }
    refused(&elsewhere, &["restore", &world.path("nothing").to_string_lossy()], "nothing")?;
    refused(&elsewhere, &["restore", "/dev/null"], "not a file")
}
