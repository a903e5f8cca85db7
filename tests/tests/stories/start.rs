//! What a server checks before it serves: its store, its keys, who else may read them. It names what it refuses and says what to do.

use std::fs::{self, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;

use harness::process::answer;

use super::books::Kind;
use super::world::{World, on_both};

on_both! {
    an_initialised_server_does_not_start_without_its_store;
    keys_and_stores_of_other_servers_are_refused;
    a_store_of_a_newer_program_is_refused_by_name;
}

const RUN: [&str; 5] = ["run", "--listen", "127.0.0.1:0", "--lang", "en"];

/// Runs a command that must fail, and returns its message.
fn refused(world: &World, words: &[&str]) -> anyhow::Result<String> {
    let said = answer(&mut world.test_server.command(words))?;
    anyhow::ensure!(said.code == Some(2), "{words:?} was not refused: {said:?}");
    Ok(said.err)
}

/// Runs a command that must fail and print all of these words.
fn refused_with(world: &World, words: &[&str], wanted: &[&str]) -> anyhow::Result<()> {
    let said = refused(world, words)?;
    anyhow::ensure!(wanted.iter().all(|word| said.contains(word)), "{wanted:?} is not all in: {said}");
    Ok(())
}

fn an_initialised_server_does_not_start_without_its_store(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let file = world.test_server.data().join("tram-an.db");
    world.books.save()?;
    world.books.take_away()?;
    let missing = ["missing or empty", "mount that disk", "restore it from a backup", "--new-store"];
    refused_with(&world, &RUN, &missing)?;
    refused_with(&world, &["office", "list", "--lang", "en"], &missing)?;
    if kind == Kind::Sqlite {
        assert!(!file.exists(), "a store was made");
        fs::write(&file, "")?;
        refused_with(&world, &RUN, &missing)?;
        fs::remove_file(&file)?;
    }
    let anew = [RUN.as_slice(), &["--new-store"]].concat();
    let mut server = world.test_server.run_with("127.0.0.1:0", &["--new-store"], &world.path("server.log"))?;
    server.running.stop()?;
    let made = world.books.all::<(String, String)>("select action, actor from audit_entry")?;
    assert!(made.len() == 1 && made[0].0 == "store_made" && made[0].1.starts_with("operator:"), "{made:?}");
    world.test_server.ask::<serde_json::Value>(&["audit", "verify"])?;
    assert_eq!(world.books.count("select count(*) from office")?, 0);
    refused_with(&world, &anew, &["There is a database of the server"])?;
    world.books.restore()?;
    refused_with(&world, &anew, &["There is a database of the server"])?;
    world.serve()?;
    assert_eq!(world.books.count("select count(*) from office")?, 1);
    Ok(())
}

fn keys_and_stores_of_other_servers_are_refused(kind: Kind) -> anyhow::Result<()> {
    let (world, other) = (World::new(kind)?, World::new(Kind::Sqlite)?);
    world.serve()?;
    let (ours, theirs) = (world.test_server.data(), other.test_server.data());
    for (files, name) in [
        (&["secrets/receipt.key"][..], "receipt"),
        (&["secrets/client-ca.key", "public/client-ca.crt", "public/client-ca-standby.crt"], "client-ca"),
        (&["secrets/server-ca.key", "public/server-ca.crt", "public/server-ca-standby.crt"], "server-ca"),
    ] {
        let kept = files.iter().map(|file| fs::read(ours.join(file))).collect::<Result<Vec<_>, _>>()?;
        for file in files {
            fs::write(ours.join(file), fs::read(theirs.join(file))?)?;
        }
        refused_with(&world, &RUN, &[name, "from the same backup"])?;
        for (file, kept) in files.iter().zip(kept) {
            fs::write(ours.join(file), kept)?;
        }
    }
    let toml = ours.join("server.toml");
    let kept = fs::read_to_string(&toml)?;
    let url = format!("sqlite:{}", theirs.join("tram-an.db").display());
    let line = kept.lines().find(|line| line.starts_with("url = ")).unwrap_or_default();
    fs::write(&toml, kept.replace(line, &format!("url = \"{url}\"")))?;
    refused_with(&world, &RUN, &["belongs to another server"])?;
    fs::write(&toml, kept)?;
    world.serve()?;
    Ok(())
}

fn a_store_of_a_newer_program_is_refused_by_name(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    world.books.run(match kind {
        Kind::Sqlite => {
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'later', true, x'00', 0)"
        }
        Kind::Postgres => {
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'later', true, '\\x00', 0)"
        }
    })?;
    refused_with(&world, &RUN, &["newer version", "9999"])
}

#[test]
fn a_second_server_on_the_same_file_is_refused_and_commands_are_not() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let mut server = world.serve()?;
    refused_with(&world, &RUN, &["Another server is running"])?;
    world.test_server.ask::<serde_json::Value>(&["office", "list"])?;
    // However the first one ends.
    server.running.kill()?;
    world.serve()?;
    Ok(())
}

#[test]
fn a_destroyed_page_is_found_at_the_start() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let file = world.test_server.data().join("tram-an.db");
    let pages = fs::metadata(&file)?.len() / 4096;
    for page in [0, pages / 2] {
        let kept = fs::read(&file)?;
        let mut opened = fs::File::options().write(true).open(&file)?;
        opened.seek(SeekFrom::Start(page * 4096))?;
        opened.write_all(&[0xa5; 4096])?;
        refused_with(&world, &RUN, &["damaged", "restore from a backup", "tram-an.db"])?;
        fs::write(&file, kept)?;
    }
    world.serve()?;
    Ok(())
}

#[test]
fn what_others_may_read_is_closed_and_what_they_may_change_is_refused() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let data = world.test_server.data();
    let (toml, receipt) = (data.join("server.toml"), data.join("secrets/receipt.key"));
    let set = |path: &std::path::Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
    let mode = |path: &std::path::Path| anyhow::Ok(fs::metadata(path)?.permissions().mode() & 0o777);
    for (path, open, closed) in [(data, 0o777, 0o700), (&toml, 0o666, 0o600), (&receipt, 0o640, 0o600)] {
        set(path, open)?;
        refused_with(&world, &RUN, &[&format!("chmod {closed:o} {}", path.display())])?;
        set(path, closed)?;
    }
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&receipt, Some(65534), None)?;
        refused_with(&world, &RUN, &["receipt.key", "belongs to another user"])?;
        std::os::unix::fs::chown(&receipt, Some(0), None)?;
    }
    set(data, 0o755)?;
    set(&toml, 0o644)?;
    let server = world.serve()?;
    assert_eq!((mode(data)?, mode(&toml)?, mode(&data.join("tram-an.db"))?), (0o700, 0o600, 0o600));
    let log = fs::read_to_string(world.path("server.log"))?;
    assert!(log.contains("mode 755") && log.contains("mode 644"), "{log}");
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.running.id()))?;
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "core dumps are allowed: {core}");
    Ok(())
}

#[test]
fn a_bare_file_name_is_in_the_folder_where_one_stands() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let place = tempfile::tempdir()?;
    let policies = harness::checkout::root()?.join("policies");
    let files = harness::test_server::POLICY_FILES.map(|name| policies.join(name).to_string_lossy().into_owned());
    let sign = [&["policy", "sign"], files.each_ref().map(String::as_str).as_slice(), &["--out", "p.signed"]].concat();
    let token = ["token", "add", &world.office, "--file", "invitation"];
    let person = ["person", "add", "lan", "--name", "Lan", "--password-file", "password"];
    for (words, file) in [(sign.as_slice(), "p.signed"), (&token, "invitation"), (&person, "password")] {
        let said = answer(world.test_server.command(words).current_dir(place.path()))?;
        anyhow::ensure!(said.code == Some(0), "{words:?}: {said:?}");
        assert!(place.path().join(file).metadata()?.len() > 0, "{file}");
    }
    assert_eq!(fs::read_dir(place.path())?.count(), 3, "nothing else is left");
    Ok(())
}
