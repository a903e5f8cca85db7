//! The first of the two commands, as a newcomer types it, and the agent without any rights.

use harness::checkout;
use harness::process::{Answer, answer, command};
use serde_json::Value;

use super::books::Kind;
use super::world::World;

fn quickstart(data: &std::path::Path) -> anyhow::Result<Answer> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    answer(
        command(cargo)
            .args(["quickstart", "--once", "--json", "--port", "0", "--data"])
            .arg(data)
            // From anywhere in the checkout.
            .current_dir(checkout::root()?.join("agent/src")),
    )
}

fn sum(answer: &Value) -> f64 {
    let lines = answer["office"]["ledger"].as_array().into_iter().flatten();
    answer["office"]["score"].as_f64().unwrap_or(f64::NAN)
        + lines.map(|line| line["points"].as_f64().unwrap_or(f64::NAN)).sum::<f64>()
}

#[test]
fn quickstart_grades_this_machine_and_finds_its_data_again() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("quickstart");
    let mut offices = Vec::new();
    for start in ["first", "second"] {
        let said = quickstart(&data)?;
        assert_eq!(said.code, Some(0), "{start} start: {}", said.err);
        let answer: Value = serde_json::from_str(&said.out)?;
        assert!((sum(&answer) - 100.0).abs() < 1e-6, "{start} start: {answer}");
        let letter = answer["office"]["letter"].as_str().unwrap_or_default();
        assert!(["A", "B", "C", "D", "E"].contains(&letter), "{start} start: {answer}");
        let outcomes = answer["machine"]["outcomes"].as_array().map_or(0, Vec::len);
        assert!(outcomes >= 25, "{start} start: {outcomes} outcomes");
        for outcome in answer["machine"]["outcomes"].as_array().into_iter().flatten() {
            assert!(outcome["control"].is_string() && outcome["outcome"].is_string(), "{outcome}");
            assert!(outcome["wanted"]["vi"].as_str().is_some_and(|wanted| !wanted.is_empty()), "{outcome}");
        }
        assert!(answer["url"].as_str().is_some_and(|url| url.starts_with("https://127.0.0.1:")), "{answer}");
        let url = answer["url"].as_str().unwrap_or_default();
        offices.push((url.rsplit('/').next().unwrap_or_default().to_owned(), answer["machine"]["name"].clone()));
    }
    assert_eq!(offices[0], offices[1], "the second start did not find the data of the first");
    Ok(())
}

#[test]
fn the_agent_works_without_any_right() -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        // Every other story already runs without rights.
        return Ok(());
    }
    let world = World::new(Kind::Sqlite)?;
    let _server = world.serve()?;
    let folder = tempfile::Builder::new().prefix("nobody").tempdir()?;
    let agent = folder.path().join("posture-agent");
    std::fs::copy(&world.programs.agent, &agent)?;
    let owned = answer(command("chown").arg("-R").arg("nobody").arg(folder.path()))?;
    assert_eq!(owned.code, Some(0), "{owned:?}");
    let as_nobody = |words: &[&str]| {
        let mut nobody = command("setpriv");
        nobody.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]).arg(&agent).args(words);
        nobody.current_dir("/");
        nobody
    };
    let facts = answer(&mut as_nobody(&["facts", "--json"]))?;
    assert_eq!(facts.code, Some(0), "{facts:?}");
    let read: policies::fact::Facts = serde_json::from_str(&facts.out)?;
    assert!(read.system.name.known().is_some(), "{}", facts.out);
    let enrolment = world.enrolment(1)?;
    let state = folder.path().join("state").display().to_string();
    let words = ["enrol", "--state", &state, "--server", &enrolment.server, "--fingerprint", &enrolment.fingerprint];
    let enrolled = answer(as_nobody(&words).env("TRAM_AN_TOKEN", &enrolment.token))?;
    assert_eq!(enrolled.code, Some(0), "{enrolled:?}");
    let once = answer(&mut as_nobody(&["once", "--state", &state, "--json"]))?;
    assert!(matches!(once.code, Some(0 | 1)), "{once:?}");
    world.reports_beyond(0)?;
    Ok(())
}
