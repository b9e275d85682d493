//! Chromium, driven by chromedriver: it opens pages of a service, presses keys as a person does, and collects what its
//! console says.

mod driver;
mod keyboard;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Method;
use serde_json::{Value, json};
use url::{ParseError, Url};

use self::driver::Driver;
use crate::service::WAIT_TIMEOUT;

/// Runs before any script of a page. The console has violations of the page's policy anyway, but not all of their parts.
const OBSERVER: &str = "addEventListener('securitypolicyviolation', (event) => console.error('VIOLATION',
    event.effectiveDirective, event.blockedURI, event.sample, `${event.sourceFile}:${event.lineNumber}`), true);";

/// The script that a test injects into pages in order to tell that it ran.
pub const ATTACK: &str = "console.error('ATTACK')";

/// A browser with a new profile. It is closed when dropped.
pub struct Browser {
    client: Client,
    /// The address of the service.
    url: String,
    console: Mutex<Vec<Value>>,
    driver: Arc<Driver>,
}

/// A command of chromedriver with a JSON body.
#[derive(Debug)]
struct Command {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.path
        ))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// Starts a browser of 1,280 by 800 px for the pages at this URL.
    pub async fn start(url: &str) -> Self {
        Self::session(Arc::new(Driver::start().await), url).await
    }

    /// Starts another browser, with a profile of its own, for the same pages.
    pub async fn another(&self) -> Self {
        Self::session(self.driver.clone(), &self.url).await
    }

    async fn session(driver: Arc<Driver>, url: &str) -> Self {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let Value::Object(capabilities) = driver.capabilities() else {
            panic!("capabilities are an object");
        };
        let client = builder.capabilities(Capabilities::from_iter(capabilities));
        let client = client.connect(&driver.url).await;
        let browser = Self {
            client: client.expect("a browser"),
            url: url.to_owned(),
            console: Mutex::default(),
            driver,
        };
        browser.prepare_window().await;
        browser
    }

    /// Prepares a window for pages: before any script of a page, the observer runs.
    async fn prepare_window(&self) {
        let source = json!({"source": OBSERVER});
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source)
            .await;
        self.resize(1280, 800).await;
    }

    /// Opens an address below that of the service.
    pub async fn open(&self, path: &str) {
        let url = format!("{}{path}", self.url);
        self.client.goto(&url).await.expect("opened");
    }

    /// Leaves the page for an empty one, which needs no service.
    pub async fn leave(&self) {
        self.client.goto("about:blank").await.expect("left");
    }

    pub async fn reload(&self) {
        self.client.refresh().await.expect("reloaded");
    }

    pub async fn back(&self) {
        self.client.back().await.expect("went back");
    }

    pub async fn forward(&self) {
        self.client.forward().await.expect("went forward");
    }

    /// Opens another window of the same profile, and continues there. Both windows are visible. Returns a function
    /// that names the former window for [`switch_to`](Self::switch_to).
    pub async fn open_window(&self) -> fantoccini::wd::WindowHandle {
        let former = self.client.window().await.expect("a window");
        let window = self.client.new_window(false).await.expect("a window");
        self.switch_to(window.handle).await;
        self.prepare_window().await;
        former
    }

    /// Opens an empty tab in the same window, and continues there: the former one is hidden.
    pub async fn open_tab(&self) -> fantoccini::wd::WindowHandle {
        let former = self.client.window().await.expect("a window");
        let tab = self.client.new_window(true).await.expect("a tab");
        self.switch_to(tab.handle).await;
        former
    }

    pub async fn switch_to(&self, window: fantoccini::wd::WindowHandle) {
        self.client
            .switch_to_window(window)
            .await
            .expect("a window");
    }

    /// Sets the size of the page, in px of CSS.
    pub async fn resize(&self, width: u32, height: u32) {
        self.zoom(width, height, 1).await;
    }

    /// Sets the size of the page in px of CSS, and how many px of the screen each has.
    pub async fn zoom(&self, width: u32, height: u32, scale: u32) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": false});
        self.cdp("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// Sets media features, such as `prefers-color-scheme`.
    pub async fn set_media(&self, features: &[(&str, &str)]) {
        let features: Vec<_> = features
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        self.cdp("Emulation.setEmulatedMedia", json!({"features": features}))
            .await;
    }

    /// Issues a command of the browser's developer tools.
    pub async fn cdp(&self, method: &str, parameters: Value) -> Value {
        let body = json!({"cmd": method, "params": parameters});
        let path = "goog/cdp/execute";
        let answer = self.client.issue_cmd(Command { path, body }).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Evaluates an expression in the page, and returns its value; of a promise, its result.
    pub async fn eval(&self, expression: &str) -> Value {
        let value = self.try_eval(expression).await;
        value.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Evaluates an expression to a text.
    pub async fn text(&self, expression: &str) -> String {
        let value = self.eval(expression).await;
        let text = value.as_str().map(str::to_owned);
        text.unwrap_or_else(|| panic!("{expression}: {value}"))
    }

    async fn try_eval(&self, expression: &str) -> Result<Value, fantoccini::error::CmdError> {
        let script = format!("return ({expression})");
        self.client.execute(&script, Vec::new()).await
    }

    /// Waits until an expression is true in the page, and returns its value.
    pub async fn until(&self, what: &str, expression: &str) -> Value {
        self.until_within(WAIT_TIMEOUT, what, expression).await
    }

    /// Waits until an expression is true in the page, and fails the test after `time`.
    pub async fn until_within(&self, time: Duration, what: &str, expression: &str) -> Value {
        let deadline = Instant::now() + time;
        loop {
            // A page that is being replaced cannot be asked.
            let value = self.try_eval(expression).await;
            match &value {
                Ok(Value::Null | Value::Bool(false)) | Err(_) => {}
                Ok(value) if value == "" => {}
                Ok(value) => return value.clone(),
            }
            if Instant::now() > deadline {
                let page = self.describe().await;
                panic!("not within {time:?}: {what} ({expression}: {value:?})\n{page}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Clicks the element that a selector names.
    pub async fn click(&self, selector: &str) {
        self.until(selector, &format!("{}.checkVisibility()", one(selector)))
            .await;
        let element = self.client.find(fantoccini::Locator::Css(selector)).await;
        let clicked = element.expect("an element").click().await;
        clicked.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Drags an element by the mouse to the middle of another one.
    pub async fn drag(&self, from: &str, to: &str) {
        let [from, to] = [self.middle(from).await, self.middle(to).await];
        let between = [f64::midpoint(from[0], to[0]), f64::midpoint(from[1], to[1])];
        for (kind, at, buttons) in [
            ("mousePressed", from, 1),
            ("mouseMoved", between, 1),
            ("mouseMoved", to, 1),
            ("mouseReleased", to, 0),
        ] {
            let event = json!({
                "type": kind, "x": at[0], "y": at[1], "button": "left", "buttons": buttons, "clickCount": 1,
            });
            self.cdp("Input.dispatchMouseEvent", event).await;
        }
    }

    async fn middle(&self, selector: &str) -> [f64; 2] {
        let middle = format!(
            "(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({}.getBoundingClientRect())",
            one(selector)
        );
        serde_json::from_value(self.eval(&middle).await).expect("a place")
    }

    /// Chooses a file in a field.
    pub async fn choose_file(&self, selector: &str, path: &std::path::Path) {
        let element = self.client.find(fantoccini::Locator::Css(selector)).await;
        let path = path.to_str().expect("UTF-8");
        let chosen = element.expect("a field").send_keys(path).await;
        chosen.expect("chosen");
    }

    /// Returns what the page shows, for the message of a failed test.
    pub async fn describe(&self) -> String {
        let shown = "`${location.href}, focus: ${document.activeElement?.outerHTML.slice(0, 200)}
            ${document.body.innerText}`";
        let page = self.try_eval(shown).await;
        let page = page.map(|page| page.as_str().unwrap_or_default().to_owned());
        format!("{page:?}\nconsole: {:#?}", self.console().await)
    }

    /// Returns all messages of the console so far, of all pages and windows.
    pub async fn console(&self) -> Vec<Value> {
        let body = json!({"type": "browser"});
        let path = "se/log";
        let new = self.client.issue_cmd(Command { path, body }).await;
        let mut console = self.console.lock().expect("a lock");
        if let Ok(Value::Array(new)) = new {
            console.extend(new);
        }
        console.clone()
    }

    /// Returns the messages of the console that must not be there: errors, and violations of the policy. Answers of the
    /// API that are errors, and requests without an answer, are none.
    pub async fn faults(&self) -> Vec<Value> {
        let console = self.console().await;
        let is_fault = |entry: &Value| {
            let (source, message) = (&entry["source"], entry["message"].as_str());
            let is_request = source == "network"
                && message.is_some_and(|text| text.contains("/api/") || text.contains("net::ERR_"));
            entry["level"] == "SEVERE" && !is_request
        };
        console.into_iter().filter(is_fault).collect()
    }

    /// Asserts that the console has neither an error nor a violation of the policy.
    pub async fn assert_no_faults(&self) {
        let faults = self.faults().await;
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

/// Returns an expression for the element that a selector names.
pub fn one(selector: &str) -> String {
    format!("document.querySelector({})", json!(selector))
}
