//! Honest trouble: lost answers, copied folders, wrong clocks. Each ends as it should: the break is shown and blocks nothing.

use std::fmt::Write;
use std::path::Path;

use harness::process::{Running, answer};
use harness::relay::{ENROLMENT, Relay};
use harness::test_agent::{Enrolment, TestAgent};
use harness::wait;

use super::books::Kind;
use super::world::{World, append, on_both};

on_both! {
    a_lost_answer_stores_nothing_twice;
    a_lost_token_answer_costs_no_second_use;
    a_lost_spool_is_a_gap_that_is_shown;
    an_overfull_spool_opens_a_segment;
    a_restored_server_is_told_where_it_stands;
    a_copied_state_folder_is_seen_as_a_clone;
    a_wrong_clock_costs_no_report;
    an_expired_certificate_renews_itself;
}

const BREAKS: &str = "select count(*) from segment where kind <> 'first'";

fn a_lost_answer_stores_nothing_twice(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let _server = world.serve()?;
    let relay = Relay::start(world.address())?;
    let etc = world.etc()?;
    let test_agent = world.enrolled("machine")?.with_etc(etc.clone());
    test_agent.address_set(&relay.address())?;
    let _agent = world.run(&test_agent)?;
    let first = world.reports_beyond(0)?;
    // Otherwise the machine still waits for the answer to its first report.
    let receipts = test_agent.state().join("receipts");
    wait::until("the first receipt", wait::PATIENCE, || {
        Ok(std::fs::metadata(&receipts).is_ok_and(|file| file.len() > 0).then_some(()))
    })?;

    relay.lose_answers(0);
    append(&etc.join("hosts"), "203.0.113.1 doi-dia-chi.example")?;
    let second = world.reports_beyond(first)?;
    wait::until("a lost answer", wait::PATIENCE, || Ok((relay.swallowed() > 0).then_some(())))?;
    relay.mend();

    append(&etc.join("hosts"), "203.0.113.2 doi-dia-chi-2.example")?;
    world.reports_beyond(second)?;
    world.assert_whole()?;
    assert_eq!(world.books.count(BREAKS)?, 0, "a lost answer broke the chain");
    Ok(())
}

fn a_lost_token_answer_costs_no_second_use(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let _server = world.serve()?;
    let relay = Relay::start(world.address())?;
    let test_agent = world.test_agent("machine");
    let enrolment = Enrolment { server: relay.address(), ..world.enrolment(1)? };

    relay.lose_answers(ENROLMENT);
    std::thread::scope(|scope| {
        let tried = scope.spawn(|| test_agent.try_enrol(&enrolment));
        wait::until("the enrolment in the books", wait::PATIENCE, || {
            Ok((world.books.count("select count(*) from enrolment")? == 1).then_some(()))
        })?;
        relay.mend();
        let tried = tried.join().expect("the thread that enrols")?;
        anyhow::ensure!(tried.code != Some(0) || tried.out.contains("machine"), "{tried:?}");
        Ok(())
    })?;
    test_agent.enrol(&enrolment)?;
    assert_eq!(world.books.count("select count(*) from machine")?, 1);
    assert_eq!(world.books.count("select count(*) from certificate")?, 1);
    assert_eq!(world.books.count("select uses_left from token")?, 0);
    let other = world.test_agent("other").try_enrol(&enrolment)?;
    assert_eq!(other.code, Some(2), "a token for one machine enrolled two: {other:?}");
    Ok(())
}

fn a_lost_spool_is_a_gap_that_is_shown(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let mut server = world.serve()?;
    let etc = world.etc()?;
    let test_agent = world.enrolled("machine")?.with_etc(etc.clone());
    let mut agent = world.run(&test_agent)?;
    world.reports_beyond(0)?;
    server.running.kill()?;
    // Counted now: a second report may have followed the first at once.
    let before = world.reports_beyond(0)?;
    // Two, so that the first is certainly part of the chain by the time the spool is lost.
    for number in 1..=2 {
        let kept = world.spool_length(&test_agent)?;
        append(&etc.join("hosts"), &format!("203.0.113.{number} doi-dia-chi-{number}.example"))?;
        world.spool_beyond(&test_agent, kept)?;
    }
    agent.kill()?;
    std::fs::remove_file(test_agent.state().join("spool"))?;

    let _server = world.serve()?;
    let _agent = world.run(&test_agent)?;
    world.reports_beyond(before)?;
    world.assert_whole()?;
    let breaks: Vec<(i64, String)> = world.books.all("select segment, reason from segment where kind <> 'first'")?;
    assert_eq!(breaks, [(2, "state_lost".to_owned())]);
    Ok(())
}

fn an_overfull_spool_opens_a_segment(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let mut server = world.serve()?;
    let etc = world.etc()?;
    let test_agent = world.enrolled("machine")?.with_etc(etc.clone());
    test_agent.config_set("[spool]\nmost_mebibytes = 1\n")?;
    let _agent = world.run(&test_agent)?;
    world.reports_beyond(0)?;
    server.running.kill()?;
    // Counted now: a second report may have followed the first at once.
    let before = world.reports_beyond(0)?;

    // Names that do not compress, so that few reports fill the spool.
    let mut chance = 0x2545_f491_4f6c_dd1d_u64;
    let mut overrides = |path: &Path| -> anyhow::Result<()> {
        let mut text = "127.0.0.1 localhost\n".to_owned();
        for number in 0..480 {
            write!(text, "203.0.113.{} ", number % 250)?;
            for label in 0..4 {
                if label > 0 {
                    text.push('.');
                }
                for _ in 0..50 {
                    chance ^= chance << 13;
                    chance ^= chance >> 7;
                    chance ^= chance << 17;
                    text.push(char::from(b"abcdefghijklmnopqrstuvwxyz012345"[usize::try_from(chance % 32)?]));
                }
            }
            text.push('\n');
        }
        Ok(std::fs::write(path, text)?)
    };
    let full = wait::until("a full spool", wait::PATIENCE * 4, || {
        let kept = world.spool_length(&test_agent)?;
        overrides(&etc.join("hosts"))?;
        // Nothing is added to a full spool; its log says so.
        let full = wait::until("a longer or a full spool", wait::PATIENCE, || {
            let log = std::fs::read_to_string(world.path("machine.log"))?;
            let full = log.contains("the spool is full");
            Ok((full || world.spool_length(&test_agent)? > kept).then_some(full))
        })?;
        Ok(full.then_some(world.spool_length(&test_agent)?))
    })?;
    assert!(full <= 1024 * 1024, "the spool has {full} bytes");

    let _server = world.serve()?;
    wait::until("the segment after the overflow", wait::PATIENCE * 3, || {
        Ok((world.books.count("select count(*) from segment where reason = 'spool_overflow'")? == 1).then_some(()))
    })?;
    assert!(world.books.count("select count(*) from report")? > before + 1, "what was kept did not arrive");
    world.assert_whole()
}

fn a_restored_server_is_told_where_it_stands(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let mut server = world.serve()?;
    let etc = world.etc()?;
    let test_agent = world.enrolled("machine")?.with_etc(etc.clone());
    let mut agent = world.run(&test_agent)?;
    let first = world.reports_beyond(0)?;
    server.running.stop()?;
    world.books.save()?;

    let mut server = world.serve()?;
    append(&etc.join("hosts"), "203.0.113.1 doi-dia-chi.example")?;
    world.reports_beyond(first)?;
    agent.stop()?;
    server.running.stop()?;
    world.books.restore()?;
    assert_eq!(world.books.count("select count(*) from report")?, first);

    let _server = world.serve()?;
    let _agent = world.run(&test_agent)?;
    wait::until("the segment after the restore", wait::PATIENCE, || {
        Ok((world.books.count("select count(*) from segment where kind = 'server_behind'")? == 1).then_some(()))
    })
    .map_err(|error| error.context(world.logs()))?;
    append(&etc.join("hosts"), "203.0.113.2 doi-dia-chi-2.example")?;
    world.reports_beyond(first + 1)?;
    world.assert_whole()
}

fn a_copied_state_folder_is_seen_as_a_clone(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let _server = world.serve()?;
    let test_agent = world.enrolled("machine")?;
    let original_etc = world.etc()?;
    let mut first = world.run(&test_agent.clone().with_etc(original_etc.clone()))?;
    world.reports_beyond(0)?;
    first.stop()?;
    let mut count = world.reports_beyond(0)?;

    let copy = world.path("copy");
    let copied = answer(harness::process::command("cp").arg("-a").arg(test_agent.state()).arg(&copy))?;
    assert_eq!(copied.code, Some(0), "{copied:?}");
    let copy_etc = world.path("copy-etc");
    answer(harness::process::command("cp").arg("-a").arg(&original_etc).arg(&copy_etc))?;
    let twin = world.test_agent("copy").with_etc(copy_etc.clone());
    let _original: Running = world.run(&test_agent.with_etc(original_etc.clone()))?;
    count = world.reports_beyond(count)?;
    let _copy = world.run(&twin)?;
    for round in 1..=4 {
        if world.books.count("select count(*) from machine where clone_at is not null")? == 1 {
            break;
        }
        for etc in [&original_etc, &copy_etc] {
            append(&etc.join("hosts"), &format!("203.0.113.{round} doi-dia-chi-{round}.example"))?;
            wait::until("a report of one of the two", wait::PATIENCE * 3, || {
                let now = world.books.count("select (select count(*) from report) + (select count(*) from fork)")?;
                let moved = now > count;
                count = now;
                Ok(moved.then_some(()))
            })?;
        }
    }
    assert_eq!(world.books.count("select count(*) from machine where clone_at is not null")?, 1, "no clone was seen");
    Ok(())
}

fn a_wrong_clock_costs_no_report(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let _server = world.serve()?;
    let mut before = 0;
    for (name, shift) in [("behind", "-3000d"), ("ahead", "+20d")] {
        let test_agent = at(world.enrolled(name)?, shift)?;
        let mut agent = world.run(&test_agent)?;
        world.reports_beyond(before)?;
        agent.stop()?;
        // Counted now: a stop is reported, too.
        before = world.reports_beyond(0)?;
    }
    let offsets: Vec<(i64,)> = world.books.all("select clock_offset from machine_head order by clock_offset")?;
    let days: Vec<i64> = offsets.iter().map(|offset| offset.0 / 86_400_000).collect();
    assert_eq!(days.len(), 2);
    assert!((-3001..=-2999).contains(&days[0]) && (19..=20).contains(&days[1]), "{days:?}");
    // Impossible times are dated by receipt: both machines have fresh figures.
    let shown: serde_json::Value = world.test_server.office_show(&world.office)?;
    let states: Vec<&str> =
        shown["machines"].as_array().into_iter().flatten().filter_map(|line| line["grade"]["state"].as_str()).collect();
    assert_eq!(states, ["scored", "scored"], "{shown}");
    Ok(())
}

fn an_expired_certificate_renews_itself(kind: Kind) -> anyhow::Result<()> {
    let mut world = World::new(kind)?;
    let mut server = world.serve()?;
    let test_agent = world.enrolled("machine")?;
    let mut agent = world.run(&test_agent)?;
    world.reports_beyond(0)?;
    agent.stop()?;
    server.running.stop()?;
    // Counted now: a second report may have followed the first at once.
    let before = world.reports_beyond(0)?;

    // 400 days later: the machine's certificate, good for a year, expired while it was in a drawer.
    world.test_server = at_desk(&world.test_server, "+400d")?;
    let _server = world.serve()?;
    let _agent = world.run(&at(test_agent, "+400d")?)?;
    world.reports_beyond(before)?;
    assert_eq!(world.books.count("select count(*) from certificate")?, 2);
    world.assert_whole()
}

/// The same agent on a machine whose clock is off.
fn at(test_agent: TestAgent, shift: &str) -> anyhow::Result<TestAgent> {
    Ok(clock(shift)?.into_iter().fold(test_agent, |test_agent, (name, value)| test_agent.with_variable(name, &value)))
}

fn at_desk(
    test_server: &harness::test_server::TestServer,
    shift: &str,
) -> anyhow::Result<harness::test_server::TestServer> {
    Ok(clock(shift)?
        .into_iter()
        .fold(test_server.clone(), |test_server, (name, value)| test_server.with_variable(name, &value)))
}

/// What makes a program see another time. Its timers continue as before.
pub(crate) fn clock(shift: &str) -> anyhow::Result<[(&'static str, String); 3]> {
    Ok([("LD_PRELOAD", faketime()?), ("FAKETIME", shift.to_owned()), ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned())])
}

/// The library that shows a program another time.
pub(crate) fn faketime() -> anyhow::Result<String> {
    let library = std::fs::read_dir("/usr/lib")?
        .flatten()
        .map(|entry| entry.path().join("faketime/libfaketime.so.1"))
        .find(|path| path.exists());
    let library = library.ok_or_else(|| anyhow::anyhow!("libfaketime is not installed: tests/run installs it"))?;
    Ok(library.display().to_string())
}
