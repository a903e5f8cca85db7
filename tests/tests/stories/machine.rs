//! What an officer decides about a machine holds at once.

use harness::process::answer;

use super::books::Kind;
use super::world::{World, on_both};

on_both! {
    a_revoked_machine_is_refused;
}

fn a_revoked_machine_is_refused(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let _server = world.serve()?;
    let station = world.enrolled("machine")?;
    let done = answer(station.command("once").args(["--json", "--lang", "en"]))?;
    assert!(matches!(done.code, Some(0 | 1)), "{done:?}");
    let before = world.reports_beyond(0)?;

    let machines: Vec<(String,)> = world.books.all("select id from machine")?;
    let [(machine,)] = machines.as_slice() else { anyhow::bail!("not one machine: {machines:?}") };
    world.desk.ask::<serde_json::Value>(&["machine", "revoke", machine, "--reason", "mất máy"])?;
    let refused = answer(station.command("once").args(["--lang", "en"]))?;
    assert!(refused.out.contains("revoked"), "{refused:?}");
    assert_eq!(world.books.count("select count(*) from report")?, before, "a revoked machine's report was stored");

    let honest = world.enrolled("other")?;
    let done = answer(honest.command("once").args(["--json", "--lang", "en"]))?;
    assert!(matches!(done.code, Some(0 | 1)), "{done:?}");
    world.reports_beyond(before)?;
    Ok(())
}
