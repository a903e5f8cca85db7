//! The evidence log as an administrator, a witness and somebody with the database see it.

use data_encoding::BASE64;
use protocol::log::proof_file::ProofFile;
use protocol::log::{Note, NoteKey, cosignature};
use ring::signature::{Ed25519KeyPair, KeyPair};
use sqlx::Connection;

use super::*;

impl TestServer {
    /// Keeps a text in a file; returns its path.
    fn kept(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    fn checkpoint(&self) -> String {
        String::from_utf8(self.run(&["log", "checkpoint"]).stdout).unwrap()
    }

    /// Runs a verification that must find something with status 1; returns what it prints.
    fn differs(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same as JSON.
    fn json_differs(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.differs(&[words, &["--json"]].concat())).unwrap()
    }

    /// Does something to the database that the program would not.
    pub(super) fn tamper(&self, statement: &'static str) {
        let file = format!("sqlite:{}", self.data().join("tram-an.db").display());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = sqlx::SqliteConnection::connect(&file).await.unwrap();
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }
}

/// A witness with its key, and the checkpoint with its signature.
fn witnessed(name: &str, checkpoint: &str) -> (String, String) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let key = NoteKey::witness(name, pair.public_key().as_ref().try_into().unwrap()).unwrap();
    let note: Note = checkpoint.parse().unwrap();
    let time = 1_796_000_000_u64;
    let signed = pair.sign(cosignature::message(time, &note.text).as_bytes());
    let vkey = key.to_string();
    let id = data_encoding::HEXLOWER.decode(vkey.split('+').nth(1).unwrap().as_bytes()).unwrap();
    let line = BASE64.encode(&[id.as_slice(), &time.to_be_bytes(), signed.as_ref()].concat());
    (vkey, format!("{checkpoint}— {name} {line}\n"))
}

#[test]
fn the_log_is_shown_proved_and_verified() {
    let test_server = TestServer::made();
    assert!(test_server.refused(&["log", "checkpoint", "--lang", "en"]).contains("no leaf yet"));
    assert_eq!(test_server.json(&["verify", "log"])["leaves"], 0);
    test_server.office();
    let shown = test_server.json(&["log", "checkpoint"]);
    assert_eq!(shown["size"], 1);
    assert!(shown["origin"].as_str().unwrap().starts_with("tram-an/log/1/"));
    let kept = test_server.checkpoint();
    assert_eq!(kept.trim_end(), shown["checkpoint"].as_str().unwrap().trim_end());
    shown["key"].as_str().unwrap().parse::<NoteKey>().unwrap().verify(&kept.parse().unwrap()).unwrap();
    let kept = test_server.kept("kept", &kept);
    test_server.office();
    test_server.office();

    let proved = test_server.json(&["log", "prove", "1"]);
    assert_eq!((proved["subject"].as_str(), proved["proof"].as_array().unwrap().len()), (Some("audit 2"), 2));
    let file: ProofFile = String::from_utf8(test_server.run(&["log", "prove", "1"]).stdout).unwrap().parse().unwrap();
    assert_eq!(String::from_utf8(file.content).unwrap(), proved["content"].as_str().unwrap());
    assert!(test_server.refused(&["log", "prove", "3", "--lang", "en"]).contains("There is no leaf 3: the log has 3"));
    for index in ["-1", "x"] {
        let told = test_server.refused(&["log", "prove", index, "--lang", "en"]);
        assert!(told.contains("Wrong command line") && told.contains(&format!("invalid value '{index}'")), "{told}");
        assert!(test_server.refused(&["log", "prove", index]).contains("Lệnh chưa đúng"));
    }

    let compared = test_server.json(&["log", "checkpoint", "--compare", &kept]);
    assert_eq!((&compared["old_size"], &compared["size"]), (&1.into(), &3.into()));
    let verified = test_server.json(&["verify", "log", "--against", &kept]);
    assert_eq!(
        (&verified["whole"], &verified["leaves"], &verified["faults"]),
        (&true.into(), &3.into(), &Value::Array(vec![]))
    );
    let told = String::from_utf8(test_server.run(&["verify", "log"]).stdout).unwrap();
    assert!(told.contains("Nhật ký đối chứng nguyên vẹn.") && told.contains("mục của nhật ký đối chứng: 3"), "{told}");
    for words in [["verify", "audit"], ["audit", "verify"]] {
        let verified = test_server.json(&words);
        assert_eq!(
            (&verified["whole"], &verified["entries"], &verified["leaves"]),
            (&true.into(), &3.into(), &3.into())
        );
        let told = String::from_utf8(test_server.run(&[&words[..], &["--lang", "en"]].concat()).stdout).unwrap();
        assert!(told.contains("The audit log: intact."), "{told}");
    }
}

#[test]
fn an_office_and_its_machines_are_verified_by_their_ids() {
    let test_server = TestServer::made();
    let office = test_server.office();
    let verified = test_server.json(&["verify", "office", &office]);
    assert_eq!(
        (&verified["whole"], &verified["lines"], &verified["faults"]),
        (&true.into(), &0.into(), &Value::Array(vec![]))
    );
    test_server.json(&["office", "roster", "add", &office, "PC-01"]);
    test_server.tamper("update roster_line set removed_at = 5");
    let told = test_server.differs(&["verify", "office", &office]);
    assert!(told.contains("KHÔNG còn nguyên vẹn") && told.contains("không khớp nhật ký thao tác"), "{told}");
    let json = test_server.json_differs(&["verify", "office", &office]);
    assert_eq!((&json["faults"][0]["fault"], &json["faults"][0]["office"]), (&"roster_changed".into(), &office.into()));
    for noun in ["office", "machine"] {
        assert!(test_server.refused(&["verify", noun, "nobody", "--lang", "en"]).contains("There is no"));
    }
}

#[test]
fn what_is_no_checkpoint_of_this_server_is_refused() {
    let test_server = TestServer::made();
    test_server.office();
    let other = TestServer::made();
    other.office();
    let foreign = test_server.kept("foreign", &other.checkpoint());
    let told = test_server.refused(&["log", "checkpoint", "--compare", &foreign, "--lang", "en"]);
    assert!(
        told.contains("is not a checkpoint signed by this server") && told.contains("there is no signature"),
        "{told}"
    );
    let nothing = test_server.kept("nothing", "abc\n");
    for words in [["verify", "log", "--against", &nothing], ["log", "checkpoint", "--compare", &nothing]] {
        assert!(test_server.refused(&words).contains("Không đọc được mốc đối chứng"));
    }
    assert!(
        test_server
            .refused(&["verify", "log", "--against", "/nowhere", "--lang", "en"])
            .contains("No checkpoint can be read")
    );
    let long = test_server.kept("long", &"a".repeat(100_000));
    assert!(test_server.refused(&["verify", "log", "--against", &long]).contains("at most 65536 bytes"));
}

#[test]
fn a_witness_cosigns_by_file() {
    let test_server = TestServer::made();
    test_server.office();
    let checkpoint = test_server.checkpoint();
    let (key, cosigned) = witnessed("police.example/w1", &checkpoint);
    let file = test_server.kept("cosigned", &cosigned);
    let plain = test_server.kept("plain", &checkpoint);
    let told = test_server.refused(&["log", "cosign", &plain, "--key", &key, "--lang", "en"]);
    assert!(told.contains("none of the named witnesses"), "{told}");
    let told = test_server.refused(&["log", "cosign", &file, "--key", "police.example/w1", "--lang", "en"]);
    assert!(told.contains("no witness's key"), "{told}");
    let mut later: Note = cosigned.parse().unwrap();
    later.signatures[1].bytes[7] ^= 1;
    let later = test_server.kept("later", &later.to_string());
    assert!(test_server.refused(&["log", "cosign", &later, "--key", &key, "--lang", "en"]).contains("does not fit"));

    let done = test_server.json(&["log", "cosign", &file, "--key", &key]);
    assert_eq!(done["witnesses"][0]["name"], "police.example/w1");
    // That somebody cosigned is a leaf itself; the cosigned checkpoint is kept for good.
    assert_eq!(test_server.json(&["log", "checkpoint"])["size"], 2);
    let verified = test_server.json(&["verify", "log", "--against", &file]);
    assert_eq!((&verified["whole"], &verified["checkpoints"]), (&true.into(), &2.into()));
}

#[test]
fn what_somebody_did_to_the_database_is_named_in_both_languages() {
    let test_server = TestServer::made();
    test_server.office();
    test_server.office();
    let kept = test_server.kept("kept", &test_server.checkpoint());
    test_server.tamper("update audit_entry set subject = 'x' where number = 2");
    let told = test_server.differs(&["verify", "log"]);
    assert!(
        told.contains("KHÔNG còn nguyên vẹn") && told.contains("Mục 1: dòng 2 của nhật ký thao tác đã bị sửa"),
        "{told}"
    );
    let told = test_server.differs(&["verify", "log", "--lang", "en"]);
    assert!(told.contains("NOT intact"), "{told}");
    assert!(told.contains("Leaf 1: audit entry 2 was changed after it was logged."), "{told}");
    for words in [["verify", "audit"], ["audit", "verify"]] {
        let told = test_server.differs(&[&words[..], &["--lang", "en"]].concat());
        assert!(told.contains("audit entry 2: the chain of the audit log is broken"), "{told}");
        assert_eq!(test_server.json_differs(&words)["faults"][1]["fault"], "audit_changed");
    }
    let json = test_server.json_differs(&["verify", "log"]);
    assert_eq!((&json["whole"], &json["faults"][0]["fault"]), (&false.into(), &"record_changed".into()));
    assert_eq!((&json["faults"][0]["leaf"], &json["faults"][0]["subject"]), (&1.into(), &"audit 2".into()));
    assert!(test_server.refused(&["log", "prove", "1", "--lang", "en"]).contains("does not fit its leaf"));

    // Cut by somebody who has the keys: nothing inside shows it.
    test_server.tamper(
        "delete from audit_entry; update sequence set value = 0 where name = 'audit'; delete from log_leaf;
         update log_head set size = 0, frontier = '', checkpoint = '', filled = ''",
    );
    test_server.office();
    assert_eq!(test_server.json(&["verify", "log"])["leaves"], 1);
    let told = test_server.differs(&["verify", "log", "--against", &kept, "--lang", "en"]);
    assert!(told.contains("contradicts the checkpoint that was kept (epoch 1, 2 leaves; 1 can be compared)"), "{told}");
    let told = test_server.refused(&["log", "checkpoint", "--compare", &kept]);
    assert!(told.contains("mâu thuẫn với mốc đã cất"), "{told}");
}
