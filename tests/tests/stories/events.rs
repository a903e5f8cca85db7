//! What happens to an agent is told by itself, signed: killed, stopped, removed; and who looked at it is in the audit log.

use harness::wait;

use super::books::Kind;
use super::world::{World, on_both};

on_both! {
    what_happens_to_an_agent_is_told_and_signed;
}

/// A machine as `machine show` prints it.
#[derive(Debug, serde::Deserialize)]
struct Shown {
    received_at: Option<i64>,
    contact: Contact,
    events: Vec<Event>,
    missing: u64,
}

#[derive(Debug, serde::Deserialize)]
struct Contact {
    called_at: Option<i64>,
}

#[derive(Debug, serde::Deserialize)]
struct Event {
    number: u64,
    kind: String,
}

fn shown(world: &World, machine: &str) -> anyhow::Result<Shown> {
    world.test_server.ask(&["machine", "show", machine])
}

/// Waits until the server has exactly these events, numbered from 1, the oldest first.
fn told(world: &World, machine: &str, kinds: &str) -> anyhow::Result<()> {
    let found = wait::until(&format!("the events {kinds}"), wait::PATIENCE, || {
        let Shown { events, missing, .. } = shown(world, machine)?;
        let found: Vec<String> = events.iter().rev().map(|event| format!("{}:{}", event.number, event.kind)).collect();
        Ok((found.len() >= kinds.split(' ').count()).then_some((found, missing)))
    });
    let (found, missing) = found.map_err(|error| error.context(world.logs()))?;
    let expected: Vec<String> = (1..).zip(kinds.split(' ')).map(|(number, kind)| format!("{number}:{kind}")).collect();
    assert_eq!((found, missing), (expected, 0), "{}", world.logs());
    Ok(())
}

fn what_happens_to_an_agent_is_told_and_signed(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let mut server = world.serve()?;
    let test_agent = world.enrolled("machine")?;
    let mut agent = world.run(&test_agent)?;
    world.reports_beyond(0)?;
    let machines: Vec<(String,)> = world.books.all("select id from machine")?;
    let [(machine,)] = machines.as_slice() else { anyhow::bail!("not one machine: {machines:?}") };
    told(&world, machine, "started")?;

    agent.kill()?;
    let mut agent = world.run(&test_agent)?;
    told(&world, machine, "started broken_off started")?;
    agent.stop()?;
    told(&world, machine, "started broken_off started stopped")?;

    // Nobody hears of this run before the next one.
    server.running.kill()?;
    let kept = world.spool_length(&test_agent)?;
    let mut agent = world.run(&test_agent)?;
    world.spool_beyond(&test_agent, kept)?;
    agent.stop()?;
    let mut server = world.serve()?;
    let mut agent = world.run(&test_agent)?;
    told(&world, machine, "started broken_off started stopped started stopped started")?;

    // As the package's script marks a removal before it stops the service.
    std::fs::write(test_agent.state().join("leaving"), b"")?;
    agent.stop()?;
    told(&world, machine, "started broken_off started stopped started stopped started uninstalled")?;
    world.assert_whole()?;
    assert_eq!(world.books.count("select count(*) from segment where kind <> 'first'")?, 0, "the chain broke");

    // The last call is written when the server ends at the latest.
    server.running.stop()?;
    let last = shown(&world, machine)?;
    assert!(last.contact.called_at >= last.received_at && last.received_at.is_some(), "{last:?}");
    let looks = world
        .books
        .count("select count(*) from audit_entry where action = 'detail_viewed' and actor like 'operator:%'")?;
    assert!(looks >= 6, "{looks} looks in the audit log");
    Ok(())
}
