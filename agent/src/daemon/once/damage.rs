//! Damages every file of the state folder in every way: either the agent recovers by itself, or it says which file, what is wrong and
//! how to fix it, and the fix works. Nothing is deleted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::tests::{dial, enrolled, open};
use super::*;
use crate::connection::test_server::{Server, refused, run};
use crate::connection::tls::tests::authority;
use crate::enrol::tests::{TOKEN, admit};
use crate::enrol::{EnrolError, Enrolled, Invitation, enrol};
use crate::identity::start::StartError;
use crate::platform::clock::Clock;
use collect::Collector;
use collect::linux::Machine;
use os::recorded::Recorded;

const WAYS: [&str; 4] = ["empty", "cut", "rubbish", "folder"];

/// Damages what is at `path`.
fn damage(path: &Path, way: &str) {
    let bytes = if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap();
        Vec::new()
    } else {
        std::fs::read(path).unwrap()
    };
    match way {
        "empty" => std::fs::write(path, b"").unwrap(),
        "cut" => std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap(),
        "rubbish" => std::fs::write(path, [0xa5; 5000]).unwrap(),
        _ => {
            if path.exists() {
                std::fs::remove_file(path).unwrap();
            }
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join("x"), b"x").unwrap();
        }
    }
    use std::os::unix::fs::PermissionsExt;
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The files and folders of `folder`.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

struct World {
    _folder: tempfile::TempDir,
    path: PathBuf,
    server: Server,
    fingerprint: protocol::Digest,
}

/// A machine that has delivered a report and been judged. Its server enrols further ones as machine `n`.
async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let (ours, clients) = (authority("ours"), authority("clients"));
    let (fake_server, _) = enrolled(&path, &ours, 2020, 2100);
    let (ca, fingerprint) = (ours.der.clone(), protocol::Digest::of(&ours.der));
    let known = std::sync::Mutex::new(true);
    let server = Server::start(&ours, move |path, body| {
        if path != protocol::path::ENROL {
            return fake_server.answer(path, body);
        }
        // The key of the lost identity was enrolled before, with a token that is used up.
        let request: protocol::EnrolRequest = serde_json::from_slice(body).unwrap();
        let csr = data_encoding::BASE64.decode(request.csr.as_bytes()).unwrap();
        let old = csr.windows(65).any(|window| window == fake_server.key.public_key());
        if old && *known.lock().unwrap() {
            return refused(409, "key_known");
        }
        admit(&ca, &clients, "n", body)
    })
    .await;
    dial(&path, &server.address.to_string());
    let done = once(&mut open(&path)).await.unwrap();
    assert!(done.delivered && done.judgement.is_some());
    World { _folder: folder, path, server, fingerprint }
}

fn start(path: &Path) -> Result<AgentState, StartError> {
    let collector = Collector::new(Arc::new(Machine::new(Arc::new(Recorded::default()))));
    AgentState::open(path, None, collector, Arc::new(Clock::system()))
}

async fn connect(world: &World) -> Result<Enrolled, EnrolError> {
    let invitation = Invitation {
        server: world.server.address.to_string(),
        token: TOKEN.to_owned(),
        fingerprint: world.fingerprint.to_string(),
        place: String::new(),
    };
    let collector = Collector::new(Arc::new(Machine::new(Arc::new(Recorded::default()))));
    enrol(&invitation, &world.path, None, &collector, Arc::new(Clock::system())).await
}

/// The agent recovers by itself, whatever happened to the file `name`.
async fn had_again(name: &str) {
    let world = world().await;
    for way in WAYS {
        let place = world.path.join(name);
        damage(&place, way);
        let mut agent_state = start(&world.path).unwrap_or_else(|error| panic!("{name}, {way}: {error}"));
        let done = once(&mut agent_state).await.unwrap();
        assert!(done.delivered && done.trouble.is_none() && done.judgement.is_some(), "{name}, {way}: {done:?}");
        if way == "folder" && !["policy", "sections"].contains(&name) {
            let beside = place.parent().unwrap();
            let aside = names(beside).into_iter().map(|name| beside.join(name));
            assert!(
                aside.into_iter().any(|kept| kept.is_dir() && kept.join("x").exists()),
                "{name}: {:?}",
                names(beside)
            );
        }
    }
}

#[test]
fn what_can_be_had_again_of_the_servers_word_is_had_again() {
    run(async {
        for name in ["standing.json", "policy/bundle.json", "policy"] {
            had_again(name).await;
        }
    });
}

#[test]
fn what_can_be_had_again_of_the_reports_is_had_again() {
    run(async {
        for name in ["chain", "spool", "receipts", "sections/time.json", "sections"] {
            had_again(name).await;
        }
    });
}

#[test]
fn a_damaged_identity_is_named_and_the_advice_helps() {
    run(advice_helps("identity.json"));
}

#[test]
fn a_damaged_key_is_named_and_the_advice_helps() {
    run(advice_helps("key"));
}

async fn advice_helps(name: &str) {
    for way in WAYS {
        let world = world().await;
        // A waiting report must not be lost with the identity.
        std::fs::write(world.path.join("agent.toml"), "[server]\naddress = \"127.0.0.1:1\"\n").unwrap();
        assert!(once(&mut open(&world.path)).await.unwrap().kept);
        std::fs::remove_file(world.path.join("agent.toml")).unwrap();
        let spool = std::fs::read(world.path.join("spool")).unwrap();
        damage(&world.path.join(name), way);
        let text = start(&world.path).err().unwrap().text();
        for said in [&text.vi, &text.en] {
            assert!(
                said.contains(&format!("/{name}")) && said.contains("posture-agent enrol"),
                "{name}, {way}: {said}"
            );
        }
        assert!(text.vi.contains("bị hỏng") && text.en.contains("is damaged"), "{name}, {way}: {text:?}");

        let enrolled = connect(&world).await.unwrap_or_else(|error| panic!("{name}, {way}: {error}"));
        assert_eq!((enrolled.machine.as_str(), enrolled.given_up), ("n", 1), "{name}, {way}");
        assert_eq!(enrolled.former.as_deref(), (name == "key").then_some("m"), "{name}, {way}");
        assert_eq!(std::fs::read(world.path.join("spool.former")).unwrap(), spool, "{name}, {way}");
        let names = names(&world.path);
        assert!(names.iter().any(|kept| kept.starts_with(&format!("{name}."))), "{name}, {way}: {names:?}");
        assert_eq!(start(&world.path).unwrap().identity.machine, "n", "{name}, {way}");
    }
}

#[test]
fn a_key_of_another_machine_is_named() {
    run(async {
        let world = world().await;
        std::fs::remove_file(world.path.join("key")).unwrap();
        drop(crate::identity::keys::MachineKey::load_or_make(
            &crate::state::StateFolder::open(&world.path, crate::state::Missing::Refuse).unwrap(),
        ));
        let text = start(&world.path).err().unwrap().text();
        assert!(text.en.contains("another key") && text.en.contains("posture-agent enrol"), "{text:?}");
        assert_eq!(connect(&world).await.unwrap().machine, "n");
        start(&world.path).unwrap();
    });
}
