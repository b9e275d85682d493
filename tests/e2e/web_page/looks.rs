//! Colours, motion, zoom, small screens, languages and paper.

use serde_json::json;

use crate::browser::{Browser, one};
use crate::service::{Database, Service};
use crate::web_page::{Account, READY};

/// True if the page is not wider than the window.
const FITS: &str = "document.documentElement.scrollWidth <= innerWidth";

/// Logs in with some tasks.
async fn start(service: &Service) -> (Account, Browser) {
    let account = Account::register(service, "anna").await;
    account.create(&["Buy milk", "Call mum"]).await;
    let long = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung ".repeat(2);
    let title: String = long.chars().take(100).collect();
    let body = json!({"title": title, "due": "2026-01-02", "priority": "high", "tags": ["a".repeat(50), "home"]});
    account.api.create(body).await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.show("#all").await;
    browser.until_shown("Buy milk").await;
    (account, browser)
}

#[tokio::test]
async fn colours_follow_the_system_until_one_is_chosen() {
    let service = Service::start(&Database::sqlite()).await;
    let (_, browser) = start(&service).await;
    let background = "getComputedStyle(document.body).backgroundColor";
    browser
        .set_media(&[("prefers-color-scheme", "light")])
        .await;
    let light = browser.text(background).await;
    browser.set_media(&[("prefers-color-scheme", "dark")]).await;
    let dark = browser.text(background).await;
    assert_ne!(light, dark);
    browser.click("#menu-button").await;
    browser.click("#theme label:has([value=light])").await;
    let is_light = format!("{background} === {}", json!(light));
    browser
        .until("the chosen colours are shown", &is_light)
        .await;
    browser.reload().await;
    browser.until("the list is complete", READY).await;
    assert_eq!(browser.text(background).await, light, "the choice is kept");
    let theme = browser.text("document.documentElement.dataset.theme").await;
    assert_eq!(theme, "light");
    browser.assert_no_faults().await;
}

#[tokio::test]
async fn nothing_moves_where_motion_is_reduced() {
    let service = Service::start(&Database::sqlite()).await;
    let (_, browser) = start(&service).await;
    browser
        .set_media(&[("prefers-reduced-motion", "reduce")])
        .await;
    browser.add("Water the plants").await;
    browser.until_shown("Water the plants").await;
    browser.choose("Call mum").await;
    browser.press("Alt+ArrowUp").await;
    let still = "document.getAnimations().every((animation) => {
        const {duration} = animation.effect.getComputedTiming();
        return animation.playState === 'finished' || duration <= 10;
    })";
    assert_eq!(browser.eval(still).await, true);
    let times = "[...document.querySelectorAll('*')].every((element) => {
        const {transitionDuration, animationDuration} = getComputedStyle(element);
        return [transitionDuration, animationDuration].every((times) => times.split(',').every((time) => parseFloat(time) <= 0.01));
    })";
    assert_eq!(browser.eval(times).await, true);
}

#[tokio::test]
async fn small_and_zoomed_pages_need_no_sideways_scrolling() {
    let service = Service::start(&Database::sqlite()).await;
    let (_, browser) = start(&service).await;
    // The second is a window of 1,280 px at 200 %.
    for (width, height, scale) in [(320, 568, 1), (640, 400, 2), (1280, 800, 1)] {
        browser.zoom(width, height, scale).await;
        for hash in ["#today", "#upcoming", "#all", "#done", "#trash", "#account"] {
            browser.show(hash).await;
            browser
                .until(&format!("{hash} fits into {width} px"), FITS)
                .await;
        }
        browser.show("#all").await;
        browser.choose("Buy milk").await;
        browser.press("e").await;
        let open = format!("{}.open", one("#editor"));
        browser.until("the editor is open", &open).await;
        browser
            .until(&format!("the editor fits into {width} px"), FITS)
            .await;
        let inside = "(({left, right}) => left >= 0 && right <= innerWidth)(document.querySelector('#editor').getBoundingClientRect())";
        browser.until("the editor is inside", inside).await;
        browser.press("Escape").await;
    }
    browser.assert_no_faults().await;
}

/// Buttons and links that are meant for a finger are 44 px high and wide, those in running text excepted.
#[tokio::test]
async fn targets_on_a_phone_have_44_pixels() {
    let service = Service::start(&Database::sqlite()).await;
    let (_, browser) = start(&service).await;
    let metrics = json!({"width": 320, "height": 568, "deviceScaleFactor": 2, "mobile": true});
    browser
        .cdp("Emulation.setDeviceMetricsOverride", metrics)
        .await;
    let touch = json!({"enabled": true});
    browser
        .cdp("Emulation.setTouchEmulationEnabled", touch)
        .await;
    assert_eq!(
        browser
            .eval("matchMedia('(pointer: coarse)').matches")
            .await,
        true
    );
    let small = "[...document.querySelectorAll('header button, header a, .task .check, .task button.title, #add-text, #search')]
        .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height > 2)
        .map((element) => [element, element.getBoundingClientRect()])
        .filter(([, {height}]) => height < 43.5)
        .map(([element, {width, height}]) => `${element.outerHTML.slice(0, 80)}: ${width} x ${height}`)";
    assert_eq!(browser.eval(small).await, json!([]));
}

#[tokio::test]
async fn chosen_language_is_spoken_and_kept() {
    let service = Service::start(&Database::sqlite()).await;
    let (_, browser) = start(&service).await;
    let heading = "document.querySelector('nav a[href=\"#today\"]').innerText.trim()";
    assert!(browser.text(heading).await.starts_with("Today"));
    browser.click("#menu-button").await;
    browser
        .eval("document.querySelector('#language').focus()")
        .await;
    browser.press("d").await;
    browser.press("Enter").await;
    browser.press("Escape").await;
    let german = format!("document.documentElement.lang === 'de' && {heading}.startsWith('Heute')");
    browser.until("the page speaks German", &german).await;
    browser.reload().await;
    browser.until("the list is complete", READY).await;
    browser.until("the page still speaks German", &german).await;
    browser.assert_no_faults().await;
}

/// On paper there is every task, also those that the screen does not show.
#[tokio::test]
async fn print_has_every_task_and_no_controls() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    for number in 0..120 {
        account
            .api
            .create(json!({"title": format!("task {number}")}))
            .await;
    }
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.show("#all").await;
    browser.until_shown("task 119").await;
    let printed = browser.cdp("Page.printToPDF", json!({})).await;
    let pdf = printed["data"].as_str().expect("a file");
    // The text of the file, in base64, is that of a PDF.
    assert!(pdf.starts_with("JVBERi"), "{}", &pdf[..20]);
    let rows = "new Promise((resolve) => {
        addEventListener('beforeprint', () => setTimeout(() => resolve(document.querySelectorAll('#tasks > .task').length)), {once: true});
        dispatchEvent(new Event('beforeprint'));
    })";
    assert_eq!(browser.eval(rows).await, 120);
    browser
        .cdp("Emulation.setEmulatedMedia", json!({"media": "print"}))
        .await;
    let shown = "['#add', '#search', '#menu-button', '.task .grip'].filter((selector) =>
        document.querySelector(selector)?.checkVisibility())";
    assert_eq!(browser.eval(shown).await, json!([]));
}
