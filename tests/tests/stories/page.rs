//! What an officer sees in a real browser, and that it follows what happens on the machine.

use std::path::PathBuf;

use anyhow::Context;
use harness::process::answer;
use serde_json::json;

use super::books::Kind;
use super::browser::Browser;
use super::world::{World, append, on_both};

on_both! {
    a_change_on_the_machine_is_seen_without_reloading;
}

fn a_change_on_the_machine_is_seen_without_reloading(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let server = world.serve()?;
    let first = world.test_server.person_add("canbo", "Nguyễn Thị Bình")?;
    let etc = world.etc()?;
    std::fs::write(etc.join("hosts"), "127.0.0.1 localhost\n")?;
    let test_agent = world.enrolled("machine")?.with_etc(etc.clone());
    let _agent = world.run(&test_agent)?;
    world.reports_beyond(0)?;
    let machines: Vec<(String,)> = world.books.all("select id from machine")?;
    let [(machine,)] = machines.as_slice() else { anyhow::bail!("not one machine: {machines:?}") };

    let browser = Browser::start()?;
    let page = format!("https://127.0.0.1:{}/machines/{machine}", server.port);
    browser.log_in(&page, "canbo", &first)?;

    browser.open(&page)?;
    let control = "document.getElementById('control-hosts-overridden')?.className ?? ''";
    let class = |browser: &Browser| browser.run(&format!("return {control}"), Vec::new());
    harness::wait::until("the control passes", harness::wait::PATIENCE, || {
        Ok(class(&browser)?.as_str().is_some_and(|class| class.contains("is-pass")).then_some(()))
    })?;
    browser.run(
        "window.tramAnWasHere = true; document.querySelectorAll('details').forEach(part => part.open = true)",
        vec![],
    )?;
    picture(&browser, "machine")?;
    append(&etc.join("hosts"), "203.0.113.9 dichvucong.gov.vn")?;
    let seen = harness::wait::until("the control fails on the page", harness::wait::PATIENCE, || {
        Ok(class(&browser)?.as_str().is_some_and(|class| class.contains("is-fail")).then_some(()))
    });
    if seen.is_err() {
        let live = browser.text("#live")?.unwrap_or_default();
        let reports = world.books.count("select count(*) from report")?;
        seen.with_context(|| format!("the page says {live:?}, {reports} reports are stored{}", world.logs()))?;
    }
    browser.until("what was found", |text| text.contains("dichvucong.gov.vn"))?;
    assert_eq!(browser.run("return window.tramAnWasHere === true", vec![])?, json!(true), "the page was reloaded");

    browser.open(&format!("https://127.0.0.1:{}/offices/{}", server.port, world.office))?;
    browser.until("the office", |text| {
        text.contains("Bảng giải trình điểm") && text.contains("Thang điểm của phần mềm")
    })?;
    picture(&browser, "office")?;
    let stranger =
        answer(harness::process::command("curl").args(["-ks", "-o", "/dev/null", "-w", "%{http_code}"]).arg(&page));
    if let Ok(stranger) = stranger {
        assert_ne!(stranger.out, "200", "a stranger sees the page");
    }
    Ok(())
}

/// Saves a screenshot if one was requested.
pub(crate) fn picture(browser: &Browser, name: &str) -> anyhow::Result<()> {
    match std::env::var_os("TRAM_AN_PICTURES") {
        Some(folder) => browser.picture(&PathBuf::from(folder).join(format!("{name}.png"))),
        None => Ok(()),
    }
}
