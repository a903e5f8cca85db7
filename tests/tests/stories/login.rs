//! The login page keeps its turn by itself: when the server tells it to wait, when its connection breaks, and when only the answer is lost.

use harness::process::{Running, answer, command};
use harness::relay::Relay;
use harness::wait;
use serde_json::{Value, json};

use super::books::Kind;
use super::browser::{Browser, PASSWORD};
use super::page::picture;
use super::world::World;

const FIRST_PASSWORD_VI: &str = "Đây là mật khẩu cấp lần đầu";
const FIRST_PASSWORD_EN: &str = "This is a first password";

/// Enough for the browser to be drawn hardly ever while the guesser is there.
const GUESSING: &str = "40";

/// Guesses at `canbo` from this computer on many connections, until it is dropped.
fn guesser(world: &World) -> anyhow::Result<Running> {
    let (jar, log) = (world.path("guesser.cookies"), world.path("guesser.log"));
    let url = format!("https://{}/login", world.address());
    let page = answer(command("curl").args(["-ks", "-c"]).arg(&jar).arg(&url))?.out;
    let token = page.split_once("name=\"csrf\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
    let (token, _) = token.ok_or_else(|| anyhow::anyhow!("no form in {page}"))?;
    let mut curl = command("curl");
    curl.args(["-ks", "--http1.1", "--parallel", "--parallel-max", GUESSING, "-o", "/dev/null", "-b"]).arg(&jar);
    curl.args(["-w", "%{stderr}%{http_code}\\n", "-d", &format!("csrf={token}&login=canbo&password=sai")]);
    curl.arg(format!("{url}?[1-10000]"));
    let guesser = Running::start("curl", curl, &log)?;
    wait::until("the free checks are used up", wait::PATIENCE, || {
        let checked = std::fs::read_to_string(&log)?.matches("401").count();
        Ok((checked > 10).then_some(()))
    })?;
    Ok(guesser)
}

/// The first password of `canbo`, and a browser at `page` of the server behind a relay.
fn opened(world: &World, page: &str) -> anyhow::Result<(String, Relay, Browser)> {
    let first = world.test_server.person_add("canbo", "Nguyễn Thị Bình")?;
    let relay = Relay::start(world.address())?;
    let browser = Browser::start()?;
    browser.open(&format!("https://{}{page}", relay.address()))?;
    Ok((first, relay, browser))
}

/// Waits until the login page tells why it is not in yet.
fn until_told(browser: &Browser, what: &str, mut act: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    wait::until(what, wait::PATIENCE, || {
        act()?;
        let told = browser.text("#turn")?.ok_or_else(|| anyhow::anyhow!("not the login page"))?;
        Ok(told.contains(what).then_some(()))
    })
}

#[test]
fn a_login_beside_a_guesser_needs_no_second_click() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let _server = world.serve()?;
    let (first, relay, browser) = opened(&world, "/login")?;
    browser.fill("login", "canbo")?;
    browser.fill("password", &first)?;
    let guesser = guesser(&world)?;
    browser.click("main form button")?;
    until_told(&browser, "Đang đăng nhập. Xin chờ", || Ok(()))?;
    picture(&browser, "login-sending")?;
    // A connection has one place in line: a newer attempt on it, at a name that does not exist, takes the page's.
    let push_out = "const form = new FormData(document.querySelector('main form')); form.set('login', 'khong-co'); \
                    fetch('/login', { method: 'POST', body: new URLSearchParams(form) })";
    until_told(&browser, "Trang tự thử lại", || browser.run(push_out, vec![]).map(drop))?;
    until_told(&browser, "Đang có nhiều lượt đăng nhập", || Ok(()))?;
    picture(&browser, "login-waiting")?;
    until_told(&browser, "Kết nối với máy chủ bị ngắt", || {
        relay.cut();
        Ok(())
    })?;
    drop(guesser);
    browser.until("the first page", |text| text.contains(FIRST_PASSWORD_VI))?;
    assert!(browser.address()?.ends_with("/password"));
    let kind = browser.run("return performance.getEntriesByType('navigation')[0].type", vec![])?;
    assert_eq!(kind, json!("navigate"));
    browser.run("window.tramAnWasHere = true; location.reload()", vec![])?;
    wait::until("the page is loaded again", wait::PATIENCE, || {
        let anew = browser.run("return document.readyState === 'complete' && !window.tramAnWasHere", vec![])?;
        Ok((anew == json!(true)).then_some(()))
    })?;
    browser.until("the same page", |text| text.contains(FIRST_PASSWORD_VI))?;
    Ok(())
}

/// How often the page has sent its form since it was loaded.
fn sent(browser: &Browser) -> anyhow::Result<Value> {
    let script = "return performance.getEntriesByType('resource').filter(entry => entry.initiatorType === 'xmlhttprequest').length";
    browser.run(script, vec![])
}

#[test]
fn a_wrong_password_is_told_and_a_lost_answer_is_asked_for_again() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let _server = world.serve()?;
    let (first, relay, browser) = opened(&world, "/login?next=/audit")?;
    browser.click("form[action='/language'] button")?;
    browser.until("the other language", |text| text.contains("Login name"))?;

    browser.fill("login", "canbo")?;
    browser.fill("password", "sai mật khẩu")?;
    browser.run("for (const click of [1, 2]) document.querySelector('main form').requestSubmit()", vec![])?;
    browser.until("the refusal", |text| text.contains("The login name or the password is wrong."))?;
    assert_eq!(sent(&browser)?, json!(1), "a second click sends again");
    let field = "const field = document.activeElement; return [field.id, field.value, field.readOnly]";
    assert_eq!(browser.run(field, vec![])?, json!(["password", "", false]));
    picture(&browser, "login-wrong")?;

    relay.lose_answers(0);
    browser.fill("password", &first)?;
    browser.click("main form button")?;
    until_told(&browser, "The connection to the server broke.", || {
        if relay.swallowed() > 0 {
            relay.cut();
        }
        Ok(())
    })?;
    assert_eq!(browser.text("main .error")?, None, "the refusal was of another attempt");
    picture(&browser, "login-broken")?;
    relay.mend();
    browser.until("the first page", |text| text.contains(FIRST_PASSWORD_EN))?;
    Ok(())
}

#[test]
fn a_login_whose_page_was_lost_goes_on_where_it_led() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let _server = world.serve()?;
    let (first, relay, browser) = opened(&world, "/login")?;
    // With a password of one's own, so that nothing of the account changes while attempts are on their way.
    browser.log_in(&format!("https://{}/offices", relay.address()), "canbo", &first)?;
    browser.click("form[action='/logout'] button")?;
    browser.until("the login page", |text| text.contains("Tên đăng nhập"))?;
    browser.open(&format!("https://{}/login?next=/audit", relay.address()))?;
    browser.fill("login", "canbo")?;
    browser.fill("password", PASSWORD)?;
    relay.lose_answers(0);
    relay.cut();
    browser.click("main form button")?;
    until_told(&browser, "Kết nối với máy chủ bị ngắt", || {
        relay.cut();
        Ok(())
    })?;
    // The same cookies as if the answer had come and the page behind it had not: the form's token is void now.
    browser.beside(|| {
        browser.open(&format!("https://{}/login?next=/offices", world.address()))?;
        browser.fill("login", "canbo")?;
        browser.fill("password", PASSWORD)?;
        browser.click("main form button")?;
        browser.until("the pages", |text| text.contains("UBND xã An Bình")).map(drop)
    })?;
    relay.mend();
    browser.until("the page that was asked for", |text| text.contains("Nhật ký thao tác"))?;
    wait::until("the page that was asked for", wait::PATIENCE, || {
        Ok(browser.address()?.ends_with("/audit").then_some(()))
    })
}
