//! A waiver, from the request on the page to its withdrawal on the command line: one person asks, another decides, and the open page follows.

use harness::process::answer;
use serde_json::{Value, json};

use super::books::Kind;
use super::browser::Browser;
use super::world::{World, append, on_both};

on_both! {
    an_exception_is_asked_for_by_one_and_decided_by_another;
}

/// It fails as soon as the hosts file names a foreign address.
const CONTROL: &str = "hosts-overridden";

fn an_exception_is_asked_for_by_one_and_decided_by_another(kind: Kind) -> anyhow::Result<()> {
    let world = World::new(kind)?;
    let server = world.serve()?;
    let first = world.test_server.person_add("canbo", "Nguyễn Thị Bình")?;
    let etc = world.etc()?;
    append(&etc.join("hosts"), "203.0.113.9 dichvucong.gov.vn")?;
    let test_agent = world.enrolled("machine")?.with_etc(etc);
    let _agent = world.run(&test_agent)?;
    world.reports_beyond(0)?;
    let machines: Vec<(String,)> = world.books.all("select id from machine")?;
    let [(machine,)] = machines.as_slice() else { anyhow::bail!("not one machine: {machines:?}") };

    let browser = Browser::start()?;
    let page = format!("https://127.0.0.1:{}/machines/{machine}", server.port);
    browser.log_in(&page, "canbo", &first)?;
    browser.open(&page)?;
    is_shown_as(&browser, "is-fail")?;
    let form = format!("#ask-{CONTROL}");
    let filled = "const form = document.querySelector(arguments[0]); form.open = true;
        form.querySelector('textarea').value = arguments[1];
        const day = form.querySelector('input[type=date]'); day.value = day.max; return day.max";
    let day = browser.run(filled, vec![json!(form), json!("Chờ phần mềm một cửa đổi địa chỉ")])?;
    let day = day.as_str().unwrap_or_default();
    browser.click(&format!("{form} form button"))?;
    browser.until("the waiver that was asked for", |text| text.contains("Chờ phần mềm một cửa đổi địa chỉ"))?;
    is_shown_as(&browser, "is-fail")?;

    let listed: Vec<Value> = world.test_server.ask(&["waiver", "list", &world.office])?;
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["state"], &listed[0]["asked_by"]), (&json!("asked"), &json!("person:canbo")));
    assert_eq!(listed[0]["machine"], json!(machine));
    let id = listed[0]["id"].as_str().unwrap_or_default();
    let granted: Value = world.test_server.ask(&["waiver", "grant", id])?;
    assert_eq!(granted["state"], json!("granted"));
    is_shown_as(&browser, "is-waived")?;
    browser.until("who granted it", |text| text.contains("(trên máy chủ)") && text.contains("đến hết ngày"))?;
    browser.open(&format!("https://127.0.0.1:{}/offices/{}", server.port, world.office))?;
    browser.until("the waivers of the office", |text| text.contains("Ngoại lệ có thời hạn (1)"))?;

    // The command line does not grant its own request, and the author reads its refusal.
    browser.open(&page)?;
    let withdrawn: Value = world.test_server.ask(&["waiver", "withdraw", id])?;
    assert_eq!(withdrawn["state"], json!("withdrawn"));
    is_shown_as(&browser, "is-fail")?;
    let asked: Value =
        world.test_server.ask(&["waiver", "ask", machine, CONTROL, "--reason", "Chờ kinh phí", "--until", day])?;
    let again = asked["id"].as_str().unwrap_or_default();
    let refused = answer(&mut world.test_server.command(&["waiver", "grant", again]))?;
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("Người đề nghị không được tự quyết định"), "{}", refused.err);
    let form = format!("form[action='/waivers/{again}/refuse']");
    browser.until("what the command line asked for", |text| text.contains("Chờ kinh phí"))?;
    let why = "document.querySelector(arguments[0] + ' input[name=reason]').value = 'Sửa được tại chỗ'";
    browser.run(why, vec![json!(form)])?;
    browser.click(&format!("{form} button"))?;
    browser.until("why it was refused", |text| text.contains("Sửa được tại chỗ"))?;
    is_shown_as(&browser, "is-fail")?;

    assert_eq!(world.test_server.ask::<Vec<Value>>(&["waiver", "list", &world.office])?, Vec::<Value>::new());
    for (language, words) in [("vi", ["không chấp thuận", "đã rút"]), ("en", ["refused", "withdrawn"])] {
        let all =
            answer(&mut world.test_server.command(&["waiver", "list", &world.office, "--all", "--lang", language]))?;
        assert!(words.iter().all(|word| all.out.contains(word)), "{}", all.out);
    }
    world.test_server.ask::<Value>(&["audit", "verify"])?;
    Ok(())
}

/// Waits until the open page shows the control by this class, without reloading it.
fn is_shown_as(browser: &Browser, class: &str) -> anyhow::Result<()> {
    let control = format!("return document.getElementById('control-{CONTROL}')?.className ?? ''");
    harness::wait::until(&format!("the control {class}"), harness::wait::PATIENCE, || {
        let found = browser.run(&control, Vec::new())?;
        Ok(found.as_str().is_some_and(|found| found.contains(class)).then_some(()))
    })
}
