//! A machine that may never be connected: invited, enrolled, graded only by files, while the server runs; and sticks that somebody
//! has tampered with.

use std::path::{Path, PathBuf};

use harness::process::{Answer, answer};
use harness::test_agent::TestAgent;
use harness::test_server::{TestServer, machine_name};
use harness::wait;
use serde_json::Value;

use super::books::Kind;
use super::world::{World, on_both};

on_both! {
    a_machine_without_a_network_is_graded_by_files;
    tampered_and_foreign_files_change_nothing;
    a_connected_machine_may_use_files_too;
}

/// The output of `command`, which must exit with `code`.
fn said(mut command: std::process::Command, code: i32) -> anyhow::Result<Answer> {
    let said = answer(&mut command)?;
    anyhow::ensure!(said.code == Some(code), "wanted {code}: {said:?}");
    Ok(said)
}

fn json(text: &str) -> anyhow::Result<Value> {
    serde_json::from_str(text).map_err(|error| anyhow::anyhow!("{error} in {text}"))
}

fn invite(world: &World, name: &str) -> anyhow::Result<PathBuf> {
    let file = world.path(name);
    let words = ["token", "add", &world.office, "--file", &file.to_string_lossy()];
    let made: Value = world.test_server.ask(&words)?;
    assert_eq!(made["file"], file.to_string_lossy().as_ref());
    Ok(file)
}

fn export(test_agent: &TestAgent, file: &Path, invitation: Option<&Path>) -> anyhow::Result<Value> {
    let mut command = test_agent.command("export");
    command.arg(file).args(["--not-secret", "--json"]);
    if let Some(invitation) = invitation {
        command.arg("--invitation").arg(invitation);
    }
    json(&said(command, 0)?.out)
}

/// The agent's output for an answer; `code` is 0 when taken in, else 2.
fn bring(test_agent: &TestAgent, file: &Path, code: i32) -> anyhow::Result<Answer> {
    let mut command = test_agent.command("import");
    command.arg(file).args(["--json", "--lang", "en"]);
    said(command, code)
}

/// The server's output for a file, with the path of the answer.
fn take(test_server: &TestServer, file: &Path, answers: &Path, code: i32) -> anyhow::Result<Value> {
    let command = test_server.command(&[
        "import",
        &file.to_string_lossy(),
        "--answer",
        &answers.to_string_lossy(),
        "--json",
        "--lang",
        "en",
    ]);
    let lines = json(&said(command, code)?.out)?;
    let [line] = lines.as_array().map_or(&[][..], Vec::as_slice) else { anyhow::bail!("not one line: {lines}") };
    Ok(line.clone())
}

fn answer_file(line: &Value) -> PathBuf {
    PathBuf::from(line["answer"].as_str().unwrap_or_default())
}

/// A machine that is enrolled by files, not confirmed yet; its id.
fn enrolled(world: &World, name: &str, stick: &Path) -> anyhow::Result<(TestAgent, String)> {
    let test_agent = world.test_agent(name);
    let file = stick.join(format!("{name}-request"));
    export(&test_agent, &file, Some(&invite(world, &format!("{name}-invitation"))?))?;
    let line = take(&world.test_server, &file, stick, 0)?;
    assert_eq!((&line["result"], &line["status"]), (&"enrolled".into(), &"pending".into()), "{line}");
    bring(&test_agent, &answer_file(&line), 0)?;
    Ok((test_agent, line["machine"].as_str().unwrap_or_default().to_owned()))
}

/// What the roster calls the computer of these stories: not by its name, so that it stays pending.
const LINE: &str = "TS-0001";

fn line_rename(world: &World) -> anyhow::Result<()> {
    world.test_server.ask::<Value>(&["office", "roster", "add", &world.office, LINE])?;
    world.test_server.ask::<Value>(&["office", "roster", "remove", &world.office, &machine_name()])?;
    Ok(())
}

fn stick(world: &World) -> anyhow::Result<PathBuf> {
    line_rename(world)?;
    let stick = world.path("stick");
    std::fs::create_dir(&stick)?;
    Ok(stick)
}

fn a_machine_without_a_network_is_graded_by_files(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let _server = world.serve()?;
    let stick = stick(&world)?;
    let test_agent = world.test_agent("machine");
    let invitation = invite(&world, "invitation")?;

    // Without an answer about state secrets nothing is made, not even the state folder.
    let request = stick.join("request");
    let mut unconfirmed = test_agent.command("export");
    unconfirmed.arg(&request).arg("--invitation").arg(&invitation);
    assert!(said(unconfirmed, 2)?.err.contains("bí mật nhà nước"));
    assert!(!request.exists() && !test_agent.state().exists());

    // Asking twice is the same as once.
    assert_eq!(export(&test_agent, &request, Some(&invitation))?["content"], "enrolment");
    export(&test_agent, &request, None)?;
    let line = take(&world.test_server, &request, &stick, 0)?;
    assert_eq!((&line["result"], &line["status"]), (&"enrolled".into(), &"pending".into()), "{line}");
    let line = take(&world.test_server, &request, &stick, 0)?;
    assert_eq!(line["result"], "known", "{line}");
    assert_eq!(world.books.count("select count(*) from machine")?, 1);
    let machine = line["machine"].as_str().unwrap_or_default().to_owned();
    let imported = json(&bring(&test_agent, &answer_file(&line), 0)?.out)?;
    assert_eq!((&imported["enrolled"], &imported["confirmed"]), (&true.into(), &false.into()), "{imported}");
    assert_eq!(imported["new_policy"], true, "{imported}");
    assert!(imported["result"]["outcomes"].as_array().is_some_and(|outcomes| outcomes.len() >= 25), "{imported}");
    let again = json(&bring(&test_agent, &answer_file(&line), 0)?.out)?;
    assert_eq!(again["enrolled"], false, "the same answer again changes nothing: {again}");

    // Reports: exported again, the same and one more.
    let reports = stick.join("reports");
    assert_eq!(export(&test_agent, &reports, None)?["reports"], 1);
    let early = std::fs::read(&reports)?;
    assert_eq!(export(&test_agent, &reports, None)?["reports"], 2);
    std::fs::write(stick.join("early"), &early)?;
    let line = take(&world.test_server, &stick.join("early"), &world.path("early-answer"), 0)?;
    let early_answer = answer_file(&line);
    assert_eq!((&line["accepted"], &line["known"]), (&1.into(), &0.into()), "{line}");
    let line = take(&world.test_server, &reports, &stick, 0)?;
    assert_eq!((&line["accepted"], &line["known"]), (&1.into(), &1.into()), "{line}");
    world.assert_whole()?;
    let audit = world.books.count("select count(*) from audit_entry where action = 'file_imported'")?;
    assert_eq!(audit, 3, "one for the machine, one for each file with something new");
    let line = take(&world.test_server, &reports, &stick, 0)?;
    assert_eq!((&line["accepted"], &line["known"]), (&0.into(), &2.into()), "{line}");
    assert_eq!(world.books.count("select count(*) from audit_entry where action = 'file_imported'")?, audit);
    assert_eq!(world.books.count("select count(*) from report")?, 2);

    // The running server grades it as soon as an officer says which line of the roster it is, with the age of its evidence.
    world.test_server.ask::<Value>(&["office", "roster", "link", &world.office, LINE, &machine])?;
    wait::until("a letter by the running server", wait::PATIENCE, || {
        let graded = world.books.count("select count(*) from office_grade where letter is not null")?;
        Ok((graded > 0).then_some(()))
    })?;
    let office: Value = world.test_server.office_show(&world.office)?;
    assert!(office["grade"]["result"]["letter"].is_object(), "{office}");
    let outcomes = office["machines"][0]["outcomes"].as_array().map_or(0, Vec::len);
    assert!(outcomes >= 25, "{outcomes} outcomes in {office}");
    let late: Vec<(i64, i64)> = world.books.all("select made_at, received_at from report order by number limit 1")?;
    assert!(late.iter().all(|(made_at, received_at)| made_at < received_at), "{late:?}");

    // Back at the machine: nothing is waiting any more, receipts are kept, an older answer is recognised as such.
    let imported = json(&bring(&test_agent, &answer_file(&line), 0)?.out)?;
    assert_eq!((&imported["delivered"], &imported["waiting"]), (&2.into(), &0.into()), "{imported}");
    let older = bring(&test_agent, &early_answer, 2)?;
    assert!(older.err.contains("older"), "{older:?}");
    assert_eq!(export(&test_agent, &reports, None)?["reports"], 1);
    let line = take(&world.test_server, &reports, &stick, 0)?;
    assert_eq!((&line["accepted"], &line["known"]), (&1.into(), &0.into()), "{line}");
    let imported = json(&bring(&test_agent, &answer_file(&line), 0)?.out)?;
    assert_eq!((&imported["delivered"], &imported["confirmed"]), (&1.into(), &true.into()), "{imported}");
    world.assert_whole()?;
    assert_eq!(world.books.count("select count(*) from segment where kind <> 'first'")?, 0, "the chain broke");

    // It has no server to dial.
    let refused = said(test_agent.command("run"), 2)?;
    assert!(refused.err.contains("posture-agent export"), "{refused:?}");
    Ok(())
}

fn tampered_and_foreign_files_change_nothing(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let stick = stick(&world)?;
    let (test_agent, machine) = enrolled(&world, "machine", &stick)?;
    let (other, _) = enrolled(&world, "other", &stick)?;
    let reports = stick.join("reports");
    export(&test_agent, &reports, None)?;

    // A flipped byte, wherever it is, and every kind of wrong file.
    let whole = std::fs::read(&reports)?;
    for at in [0, 20, whole.len() / 2, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        std::fs::write(stick.join("flipped"), flipped)?;
        let line = take(&world.test_server, &stick.join("flipped"), &stick, 2)?;
        assert_eq!((&line["result"], &line["answer"]), (&"refused".into(), &Value::Null), "{line}");
        assert!(line["reason"].is_string(), "{line}");
    }
    std::os::unix::fs::symlink("/etc/passwd", stick.join("link"))?;
    std::fs::File::create(stick.join("huge"))?.set_len(1 << 40)?;
    for name in ["link", "huge", "missing", "machine-invitation"] {
        let line = take(&world.test_server, &stick.join(name), &stick, 2)?;
        assert_eq!(line["result"], "refused", "{line}");
    }
    // The answer's name is a link somebody prepared: it is replaced, what it points to stays.
    let victim = world.path("victim");
    std::fs::write(&victim, "mine")?;
    std::os::unix::fs::symlink(&victim, stick.join(format!("answer-reports-{machine}.tram-an")))?;
    assert_eq!(world.books.count("select count(*) from report")?, 0);
    let line = take(&world.test_server, &reports, &stick, 0)?;
    assert_eq!(line["accepted"], 1, "{line}");
    assert_eq!(std::fs::read_to_string(&victim)?, "mine");

    // Another server knows nothing of this machine, and its answers are refused.
    let foreign = World::new(Kind::Sqlite)?;
    line_rename(&foreign)?;
    let foreign_stick = world.path("foreign");
    std::fs::create_dir(&foreign_stick)?;
    assert_eq!(take(&foreign.test_server, &reports, &foreign_stick, 2)?["result"], "refused");
    let (_, _) = enrolled(&foreign, "stranger", &foreign_stick)?;
    let answers: Vec<PathBuf> = std::fs::read_dir(&foreign_stick)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "tram-an"))
        .collect();
    let [foreign_answer] = answers.as_slice() else { anyhow::bail!("not one answer: {answers:?}") };
    let before = std::fs::read(test_agent.state().join("identity.json"))?;
    let kept = world.spool_length(&test_agent)?;
    let refused = bring(&test_agent, foreign_answer, 2)?;
    assert!(refused.err.contains("to which this machine has exported nothing"), "{refused:?}");

    // Nor the answer of another machine, nor one with a flipped byte.
    let answered = answer_file(&line);
    let refused = bring(&other, &answered, 2)?;
    assert!(refused.err.contains("for another machine"), "{refused:?}");
    let text = std::fs::read(&answered)?;
    for at in [3, 40, text.len() / 2, text.len() - 2] {
        let mut flipped = text.clone();
        flipped[at] ^= 1;
        std::fs::write(stick.join("flipped"), flipped)?;
        bring(&test_agent, &stick.join("flipped"), 2)?;
    }
    assert_eq!(std::fs::read(test_agent.state().join("identity.json"))?, before);
    assert_eq!(world.spool_length(&test_agent)?, kept, "a wrong file lost a report");
    let imported = json(&bring(&test_agent, &answered, 0)?.out)?;
    assert_eq!((&imported["delivered"], &imported["waiting"]), (&1.into(), &0.into()), "{imported}");

    // A revoked machine is informed, and nothing from it is stored any more.
    export(&test_agent, &reports, None)?;
    world.test_server.ask::<Value>(&["machine", "revoke", &machine, "--reason", "mất máy"])?;
    let line = take(&world.test_server, &reports, &stick, 2)?;
    assert!(line["reason"].as_str().is_some_and(|reason| reason.contains("revoked")), "{line}");
    assert_eq!(world.books.count("select count(*) from report")?, 1);
    let refused = bring(&test_agent, &answer_file(&line), 2)?;
    assert!(refused.err.contains("revoked"), "{refused:?}");
    Ok(())
}

fn a_connected_machine_may_use_files_too(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let stick = stick(&world)?;
    let test_agent = {
        let _server = world.serve()?;
        world.enrolled("machine")?
    };
    // The server cannot be reached any more: what waits goes by file.
    let waits = answer(test_agent.command("once").arg("--json"))?;
    assert_eq!(json(&waits.out)?["delivered"], false, "{waits:?}");
    let reports = stick.join("reports");
    let exported = export(&test_agent, &reports, None)?;
    assert_eq!((&exported["content"], &exported["reports"]), (&"reports".into(), &2.into()), "{exported}");
    let line = take(&world.test_server, &reports, &stick, 0)?;
    assert_eq!(line["accepted"], exported["reports"], "{line}");
    let imported = json(&bring(&test_agent, &answer_file(&line), 0)?.out)?;
    assert_eq!((&imported["delivered"], &imported["waiting"]), (&exported["reports"], &0.into()), "{imported}");
    // Connected again, the chain continues where the files left it.
    let _server = world.serve()?;
    let done = answer(test_agent.command("once").arg("--json"))?;
    assert_eq!(json(&done.out)?["delivered"], true, "{done:?}");
    world.assert_whole()?;
    assert_eq!(world.books.count("select count(*) from segment where kind <> 'first'")?, 0, "the chain broke");
    Ok(())
}
