//! Commands while the service is away.

use std::net::TcpListener;

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
