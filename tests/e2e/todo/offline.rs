//! Commands while the service is away.

use std::net::TcpListener;

use serde_json::Value;

use super::Computer;
use crate::service::{Database, Service};

#[tokio::test]
async fn reads_work_offline_and_say_how_old_they_are() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    let milk = computer.add("Buy milk");
    computer.add("Call mum");
    let online = computer.done(&["list"]);
    service.kill();

    for (command, expected) in [
        (&["list"][..], online.as_str()),
        (&["search", "MILK"], &format!("[O] {milk}: Buy milk\n")),
        (&["today"], "No tasks in the list.\n"),
    ] {
        let ran = computer.run(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, expected), "{ran:?}");
        assert!(
            ran.stderr
                .starts_with("Offline: cannot reach http://127.0.0.1:"),
            "{ran:?}"
        );
        assert!(ran.stderr.contains("These are your tasks of "), "{ran:?}");
    }
    assert!(
        computer
            .run(&["show", &milk])
            .stdout
            .starts_with(&format!("[O] {milk}: Buy milk\n"))
    );
    assert!(computer.json(&["list"])["offline_since"].is_string());

    for command in [
        &["complete", &milk][..],
        &["delete", &milk],
        &["update", &milk, "x"],
        &["undo"],
        &["trash"],
        &["history", &milk],
        &["export"],
    ] {
        let ran = computer.run(command);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (4, ""),
            "{command:?}: {ran:?}"
        );
        assert!(
            ran.stderr
                .starts_with("Error: cannot reach http://127.0.0.1:"),
            "{command:?}: {ran:?}"
        );
    }
    let ran = computer.run(&["complete", &milk, "--json"]);
    assert!(ran.stdout.contains("\"error_code\": 4"), "{ran:?}");
}

#[tokio::test]
async fn a_change_while_the_service_is_away_takes_effect_once_when_repeated() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let url = service.url.clone();
    let computer = Computer::of(&service, "anna");
    service.kill();
    let ran = computer.run(&["add", "Buy milk"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let (_, port) = url.rsplit_once(':').expect("a port");
    let service = Service::start_with(&database, &[("TASKHOLD__SERVER__PORT", port)]).await;
    let ran = computer.run(&["add", "Buy milk"]);
    assert!(
        ran.code == 0 && ran.stderr.contains("did not learn its outcome"),
        "{ran:?}"
    );
    let ran = computer.run(&["add", "Buy milk"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (0, ""),
        "the same words once more: {ran:?}"
    );
    assert_eq!(service.client("anna").tasks().await.len(), 2);
}

#[tokio::test]
async fn a_cursor_that_means_nothing_any_more_starts_the_copy_anew() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    computer.add("Buy milk");
    let list = computer.done(&["list"]);
    let file = computer.home.path().join(".cache/todo/default/tasks.json");
    for copy in [
        {
            let mut copy: Value =
                serde_json::from_slice(&std::fs::read(&file).expect("a copy")).expect("JSON");
            copy["cursor"] = "of another database".into();
            copy["tasks"][0]["title"] = "Old".into();
            copy.to_string()
        },
        "not JSON".to_owned(),
    ] {
        std::fs::write(&file, copy).expect("written");
        assert_eq!(computer.done(&["list"]), list);
    }
}

#[tokio::test]
async fn a_first_list_needs_the_service() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    service.kill();
    let ran = computer.run(&["list"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{ran:?}");
}

/// Another program at the address, such as after a mistyped port.
#[tokio::test]
async fn a_server_that_is_not_taskhold_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        while let Ok((mut stream, _)) = listener.accept() {
            _ = stream.read(&mut [0; 4096]);
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>");
        }
    });
    let ran = Computer::new().run(&["login", &url, "--token", "x"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(
        ran.stderr
            .contains("with what is not an answer of Taskhold"),
        "{ran:?}"
    );
}

#[test]
fn addresses_that_are_none_are_refused_with_an_example() {
    let ran = Computer::new().run(&["login", "example.org", "--token", "x"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stdout.contains("such as https://todo.example.org"),
        "{ran:?}"
    );
}
