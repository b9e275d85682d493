//! The filter of fail2ban, run by fail2ban over lines of the real log.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::service::{Answer, Database, Service, eventually};

/// Returns the addresses that fail2ban finds in a log.
fn addresses_found_in(log: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("log");
    std::fs::write(&file, log).expect("written");
    let filter = Path::new(env!("CARGO_MANIFEST_DIR"));
    let filter = filter.join("../../docs/operations/fail2ban/filter.conf");
    let output = Command::new("fail2ban-regex")
        .args(["-o", "ip"])
        .args([file, filter])
        .output()
        .expect("fail2ban-regex runs; `make test` installs Debian's package fail2ban");
    let found = String::from_utf8(output.stdout).expect("UTF-8");
    found.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn fail2ban_finds_who_guesses_and_nobody_else() {
    let database = Database::sqlite();
    let variables = [
        ("TASKHOLD__LOG__FORMAT", "json"),
        ("TASKHOLD__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let service = Service::start_with(&database, &variables).await;
    let nobody = service.client_with(None);
    // What a client writes itself must not get another one banned.
    let forged = r#"","event":"login_failed","client":"192.0.2.1""#;
    let mut expected = Vec::new();
    for (client, name, times) in [
        ("203.0.113.7", forged, 7),
        ("2001:db8::7", forged, 2),
        ("203.0.113.8", "anna", 7),
    ] {
        for _ in 0..times {
            let guess = json!({"email": format!("{name}@example.org"), "password": "wrong horse"});
            let login = nobody.request(reqwest::Method::POST, "/api/auth/login");
            let login = login
                .header("x-forwarded-for", client)
                .header("x-request-id", forged);
            let answer = Answer::of(login.json(&guess)).await;
            assert!([401, 429].contains(&answer.status), "{answer:?}");
            expected.push(client);
        }
    }
    // A missing token is no guess.
    let forged = nobody
        .request(reqwest::Method::GET, "/api/v1/tasks")
        .header("x-request-id", forged);
    assert_eq!(Answer::of(forged).await.status, 401);
    let found = eventually("every line is logged", async || {
        let found = addresses_found_in(&service.log());
        (found.len() >= expected.len()).then_some(found)
    })
    .await;
    assert_eq!(found, expected);
}
