//! A real Chromium, as an officer uses it: opens pages, types, clicks, and waits until something appears.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use harness::process::{Running, command};
use harness::wait;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long Chromium may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A person's own password, after the first one was changed.
pub(crate) const PASSWORD: &str = "mot cau du dai de nho 2026";

/// One window with an empty profile. Ends with this value.
pub(crate) struct Browser {
    runtime: Runtime,
    client: Client,
    // In this order: the driver ends before its profile is deleted.
    _driver: Running,
    _profile: TempDir,
}

impl Browser {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut chromedriver = command("chromedriver");
        // What Chromium writes outside its profile is deleted too.
        chromedriver.arg("--port=0").env("HOME", profile.path()).env("XDG_CONFIG_HOME", profile.path());
        let mut driver = Running::start("chromedriver", chromedriver, &profile.path().join("driver.log"))?;
        let port = loop {
            let line = driver.line(START)?;
            if let Some((_, rest)) = line.split_once("started successfully on port ") {
                let digits = rest.trim_end_matches('.');
                break digits.parse::<u16>().with_context(|| line.clone())?;
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let wish = wishes(profile.path());
        let client = runtime.block_on(async {
            ClientBuilder::new(HttpConnector::new())
                .capabilities(wish)
                .connect(&format!("http://127.0.0.1:{port}"))
                .await
        })?;
        Ok(Self { runtime, client, _driver: driver, _profile: profile })
    }

    pub(crate) fn open(&self, url: &str) -> anyhow::Result<()> {
        Ok(self.runtime.block_on(self.client.goto(url))?)
    }

    /// Logs in at `page` with a first password and changes it as the pages require.
    pub(crate) fn log_in(&self, page: &str, login: &str, first: &str) -> anyhow::Result<()> {
        self.open(page)?;
        self.fill("login", login)?;
        self.fill("password", first)?;
        self.click("main form button")?;
        self.fill("current", first)?;
        self.fill("new", PASSWORD)?;
        self.fill("again", PASSWORD)?;
        self.click("main form button")?;
        self.until("the pages", |text| text.contains("UBND xã An Bình"))?;
        Ok(())
    }

    pub(crate) fn address(&self) -> anyhow::Result<String> {
        Ok(self.runtime.block_on(self.client.current_url())?.to_string())
    }

    /// The first element that matches, once there is one: the page that a click leads to may not be there yet.
    async fn element(&self, selector: &str) -> anyhow::Result<Element> {
        let waiting = self.client.wait().at_most(wait::PATIENCE);
        waiting.for_element(Locator::Css(selector)).await.with_context(|| selector.to_owned())
    }

    /// Types into the field with this name.
    pub(crate) fn fill(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let selector = format!("[name='{name}']");
        self.runtime.block_on(async {
            let field = self.element(&selector).await?;
            field.clear().await?;
            field.send_keys(text).await.with_context(|| selector.clone())
        })
    }

    pub(crate) fn click(&self, selector: &str) -> anyhow::Result<()> {
        self.runtime
            .block_on(async { self.element(selector).await?.click().await.with_context(|| selector.to_owned()) })
    }

    /// The text a person sees of the first element that matches; `None` when there is none.
    pub(crate) fn text(&self, selector: &str) -> anyhow::Result<Option<String>> {
        let found =
            self.run("return document.querySelector(arguments[0])?.innerText ?? null", vec![json!(selector)])?;
        Ok(found.as_str().map(str::to_owned))
    }

    /// Runs a script in the page and returns what it returns.
    pub(crate) fn run(&self, script: &str, arguments: Vec<Value>) -> anyhow::Result<Value> {
        Ok(self.runtime.block_on(self.client.execute(script, arguments))?)
    }

    /// Waits until the whole page's text matches, without reloading it.
    pub(crate) fn until(&self, what: &str, fits: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let mut last = String::new();
        let found = wait::until(what, wait::PATIENCE, || {
            last = self.text("body")?.unwrap_or_default();
            Ok(fits(&last).then(|| last.clone()))
        });
        found.with_context(|| format!("the page {} says:\n{last}", self.address().unwrap_or_default()))
    }

    /// Does `work` in a second window with the same cookies, and comes back to the first.
    pub(crate) fn beside(&self, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
        let first = self.runtime.block_on(async {
            let first = self.client.window().await?;
            let second = self.client.new_window(true).await?;
            self.client.switch_to_window(second.handle).await?;
            anyhow::Ok(first)
        })?;
        work()?;
        Ok(self.runtime.block_on(async {
            self.client.close_window().await?;
            self.client.switch_to_window(first).await
        })?)
    }

    /// Saves a screenshot of the page.
    pub(crate) fn picture(&self, path: &Path) -> anyhow::Result<()> {
        let png = self.runtime.block_on(self.client.screenshot())?;
        Ok(std::fs::write(path, png)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends Chromium itself; what stays behind goes with the driver's process group.
        drop(self.runtime.block_on(self.client.clone().close()));
    }
}

/// Options: a new profile, no look-ups of its own, and the server's own certificate accepted as a person would.
fn wishes(profile: &Path) -> Map<String, Value> {
    let profile = format!("--user-data-dir={}", profile.join("profile").display());
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--lang=vi",
        "--window-size=1280,1400",
        &profile,
    ];
    let mut wish = Map::new();
    wish.insert("acceptInsecureCerts".to_owned(), json!(true));
    wish.insert("goog:chromeOptions".to_owned(), json!({ "binary": "/usr/bin/chromium", "args": arguments }));
    wish
}
