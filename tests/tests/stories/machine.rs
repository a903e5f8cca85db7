//! What an officer decides about a machine holds at once.

use harness::process::answer;

use super::books::Kind;
use super::world::{World, on_both};

on_both! {
    a_revoked_machine_is_refused;
    a_machine_is_what_and_where_an_officer_says;
}

/// The machines of an office's grade.
#[derive(serde::Deserialize)]
struct Shown {
    machines: Vec<ShownMachine>,
}

#[derive(serde::Deserialize)]
struct ShownMachine {
    name: String,
    machine: Option<String>,
    role: String,
    grade: Option<serde_json::Value>,
}

fn a_machine_is_what_and_where_an_officer_says(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let _server = world.serve()?;
    let test_agent = world.enrolled("machine")?;
    let once = || answer(test_agent.command("once").args(["--json", "--lang", "en"]));
    let done = once()?;
    assert!(matches!(done.code, Some(0 | 1)), "{done:?}");
    let shown: Shown = world.test_server.office_show(&world.office)?;
    let machine = shown.machines[0].machine.clone().expect("the line has its machine");

    world.test_server.ask::<serde_json::Value>(&["machine", "role", &machine, "server"])?;
    let done = once()?;
    assert!(matches!(done.code, Some(0 | 1)), "{done:?}");
    let shown: Shown = world.test_server.office_show(&world.office)?;
    assert_eq!(shown.machines[0].role, "server");

    // Its line stays in the office it leaves, and counts as one that never reported.
    let below =
        world.test_server.ask::<serde_json::Value>(&["office", "add", "Phòng Văn hoá", "--parent", &world.office])?;
    let below = below["id"].as_str().expect("an id");
    world.test_server.ask::<serde_json::Value>(&["machine", "move", &machine, below])?;
    let done = once()?;
    assert!(matches!(done.code, Some(0 | 1)), "{done:?}");
    let left: Shown = world.test_server.office_show(&world.office)?;
    assert_eq!((left.machines.len(), left.machines[0].machine.as_ref()), (1, None), "{}", left.machines[0].name);
    let moved: Shown = world.test_server.office_show(below)?;
    assert_eq!(moved.machines[0].machine.as_ref(), Some(&machine));
    assert!(moved.machines[0].grade.as_ref().is_some_and(|grade| grade["score"].is_i64()), "it is graded there");

    let settle = world.test_server.command(&["machine", "settle", &machine, "--lang", "en"]);
    let refused = answer(&mut { settle })?;
    assert!(refused.code == Some(2) && refused.err.contains("nothing to settle"), "{refused:?}");
    Ok(())
}

fn a_revoked_machine_is_refused(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let _server = world.serve()?;
    let test_agent = world.enrolled("machine")?;
    let done = answer(test_agent.command("once").args(["--json", "--lang", "en"]))?;
    assert!(matches!(done.code, Some(0 | 1)), "{done:?}");
    let before = world.reports_beyond(0)?;

    let machines: Vec<(String,)> = world.books.all("select id from machine")?;
    let [(machine,)] = machines.as_slice() else { anyhow::bail!("not one machine: {machines:?}") };
    world.test_server.ask::<serde_json::Value>(&["machine", "revoke", machine, "--reason", "mất máy"])?;
    let refused = answer(test_agent.command("once").args(["--lang", "en"]))?;
    assert!(refused.out.contains("revoked"), "{refused:?}");
    assert_eq!(world.books.count("select count(*) from report")?, before, "a revoked machine's report was stored");

    let honest = world.enrolled("other")?;
    let done = answer(honest.command("once").args(["--json", "--lang", "en"]))?;
    assert!(matches!(done.code, Some(0 | 1)), "{done:?}");
    world.reports_beyond(before)?;
    Ok(())
}
