//! The policy of the page, and whether these tests notice a violation.

use crate::browser::Browser;
use crate::service::{Database, Service};
use crate::web_page::{Account, READY};

#[tokio::test]
async fn violation_error_and_rejection_are_noticed() {
    let service = Service::start(&Database::sqlite()).await;
    let browser = Browser::start(&service.url).await;
    browser.open("/").await;
    browser.assert_no_faults().await;
    let provocations = [
        (
            "VIOLATION",
            "void document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:1/pixel'}))",
        ),
        ("told by hand", "console.error('told by hand')"),
        (
            "Uncaught",
            "void setTimeout(() => { throw new Error('nobody catches it') })",
        ),
        (
            "in promise",
            "void Promise.reject(new Error('nobody handles it'))",
        ),
    ];
    for (noticed, provocation) in provocations {
        browser.eval(provocation).await;
        let found = crate::service::eventually(noticed, async || {
            let faults = browser.faults().await;
            faults
                .iter()
                .any(|fault| {
                    fault["message"]
                        .as_str()
                        .is_some_and(|text| text.contains(noticed))
                })
                .then_some(())
        });
        found.await;
    }
}

/// Strings become code nowhere: neither as HTML, nor as the address of a script, nor by `eval`.
#[tokio::test]
async fn strings_cannot_become_code() {
    let service = Service::start(&Database::sqlite()).await;
    let browser = Browser::start(&service.url).await;
    browser.open("/").await;
    for sink in [
        "document.body.innerHTML = '<b>x</b>'",
        "Object.assign(document.createElement('script'), {src: 'data:text/javascript,0'})",
        "new Function('return 1')()",
        "trustedTypes.createPolicy('another', {createHTML: (html) => html})",
    ] {
        // In a task of the page, since the protocol of the developer tools may evaluate what a page may not.
        let refused = format!(
            "new Promise((resolve) => setTimeout(() => {{ try {{ {sink}; resolve(false) }} catch {{ resolve(true) }} }}))"
        );
        assert_eq!(browser.eval(&refused).await, true, "{sink}");
    }
}

#[tokio::test]
async fn page_loads_only_from_the_service() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.reload().await;
    browser.until("the list is complete", READY).await;
    let loaded = browser
        .eval("performance.getEntriesByType('resource').map((entry) => entry.name)")
        .await;
    let loaded = loaded.as_array().expect("a list");
    assert!(loaded.len() > 5, "{loaded:?}");
    for address in loaded {
        let address = address.as_str().expect("an address");
        assert!(address.starts_with(&service.url), "{address}");
    }
    browser.assert_no_faults().await;
}
