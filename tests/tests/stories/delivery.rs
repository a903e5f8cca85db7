//! Reports are neither lost nor doubled, whichever program is killed.

use super::books::Kind;
use super::world::{World, append, on_both};

on_both! {
    a_killed_server_gets_every_report_later;
    a_killed_agent_delivers_what_it_kept;
}

fn a_killed_server_gets_every_report_later(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let mut server = world.serve()?;
    let etc = world.etc()?;
    let test_agent = world.enrolled("machine")?.with_etc(etc.clone());
    let _agent = world.run(&test_agent)?;
    world.reports_beyond(0)?;

    server.running.kill()?;
    // Counted now: a second report may have followed the first at once.
    let before = world.reports_beyond(0)?;
    for number in 1..=3 {
        let kept = world.spool_length(&test_agent)?;
        append(&etc.join("hosts"), &format!("203.0.113.{number} doi-dia-chi-{number}.example"))?;
        world.spool_beyond(&test_agent, kept)?;
    }
    assert_eq!(world.books.count("select count(*) from report")?, before, "a dead server stored something");

    let _server = world.serve()?;
    world.reports_beyond(before + 2)?;
    world.assert_whole()?;
    assert_eq!(world.books.count("select count(*) from segment where kind <> 'first'")?, 0, "the chain broke");
    Ok(())
}

fn a_killed_agent_delivers_what_it_kept(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let mut server = world.serve()?;
    let etc = world.etc()?;
    let test_agent = world.enrolled("machine")?.with_etc(etc.clone());
    let mut agent = world.run(&test_agent)?;
    world.reports_beyond(0)?;

    server.running.kill()?;
    // Counted now: a second report may have followed the first at once.
    let before = world.reports_beyond(0)?;
    let kept = world.spool_length(&test_agent)?;
    append(&etc.join("hosts"), "203.0.113.1 doi-dia-chi.example")?;
    world.spool_beyond(&test_agent, kept)?;
    agent.kill()?;

    let _server = world.serve()?;
    let _agent = world.run(&test_agent)?;
    // What was kept, and what the new start found.
    world.reports_beyond(before + 1)?;
    world.assert_whole()?;
    assert_eq!(world.books.count("select count(*) from segment where kind <> 'first'")?, 0, "the chain broke");
    Ok(())
}
