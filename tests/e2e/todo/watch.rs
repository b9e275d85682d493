//! `todo watch`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Computer;
use crate::service::{Database, Service, WAIT_TIMEOUT, path};

on_both_stores! {
    changes_are_printed_as_they_happen
}

/// A running `todo watch`, and the lines that it prints.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn start(computer: &Computer) -> Self {
        let mut child = computer
            .command(&["watch", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("todo starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(WAIT_TIMEOUT).expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn changes_are_printed_as_they_happen(database: Database) {
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    let anna = service.client("anna");
    let watch = Watch::start(&computer);
    // It may still be starting: what happens before is not printed.
    let deadline = Instant::now() + WAIT_TIMEOUT;
    let first = loop {
        anna.create(json!({"title": "Sign"})).await;
        match watch.lines.recv_timeout(Duration::from_millis(500)) {
            Ok(line) => break line,
            Err(error) => assert!(
                error == RecvTimeoutError::Timeout && Instant::now() < deadline,
                "{error}"
            ),
        }
    };
    assert!(first.contains("\"title\":\"Sign\""), "{first}");

    let task = anna.create(json!({"title": "Buy milk"})).await;
    let printed = loop {
        let line = watch.next();
        if line["changed"]["title"] == "Buy milk" {
            break line;
        }
    };
    assert_eq!(printed["changed"]["id"], task["id"]);
    let short_id = printed["changed"]["short_id"].clone();
    anna.send(reqwest::Method::DELETE, &path(&task), None).await;
    assert_eq!(
        watch.next(),
        json!({"removed": task["id"], "short_id": short_id})
    );
}
