//! The names by which commands find users: ids and e-mail addresses.

use std::fs;

use serde_json::json;

use crate::commands::text;
use crate::service::{Database, Service};

async fn every_command_says_who_was_meant(database: Database) {
    let (email, folder) = ("anna@example.org", database.folder.path());
    let service = Service::start(&database).await;
    let account = json!({"email": email, "password": "correct horse battery"});
    let nobody = service.client_with(None);
    let answer = nobody.post("/api/auth/register", account).await;
    let id = answer.body["user"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let token = answer.body["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let anna = service.client_with(Some(token));
    anna.create(json!({"title": "hers"})).await;
    let named = format!("{id} ({email})");

    let output = database.taskhold(&["export", "--user", "Anna@Example.org"]);
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).contains("hers"));
    assert!(text(&output.stderr).contains(&named), "{output:?}");
    let output = database.taskhold(&["token", "--user", email]);
    assert!(text(&output.stderr).contains(&named), "{output:?}");
    let mine = service.client_with(Some(text(&output.stdout).trim().to_owned()));
    assert_eq!(mine.tasks().await.len(), 1);

    let file =
        database.file(r#"[{"id": 1, "title": "x"}, {"id": 2, "title": "y", "user_id": "old"}]"#);
    let map = format!("old={email}");
    for arguments in [
        &["import", &file, "--user", email, "--map", &map][..],
        &["user", "activate", &id],
    ] {
        let output = database.taskhold(arguments);
        assert!(output.status.success(), "{output:?}");
        let printed = [output.stdout, output.stderr].concat();
        assert!(text(&printed).contains(&named), "{}", text(&printed));
        assert!(!text(&printed).contains("new user"), "{}", text(&printed));
    }

    // Unknown names.
    let kept = folder.join("kept.json");
    fs::write(&kept, "a backup").expect("written");
    for unknown in ["nobody@example.org", "email:nobody@example.org"] {
        let map = format!("old={unknown}");
        for arguments in [
            &["export", "--user", unknown][..],
            &["export", "--user", unknown, "--output", "kept.json"],
            &["export", "--user", unknown, "--output", "new.json"],
            &["import", &file, "--user", unknown],
            &["import", &file, "--map", &map],
            &["token", "--user", unknown],
            &["user", "deactivate", unknown],
        ] {
            let output = database.taskhold(arguments);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
            assert_eq!(text(&output.stdout), "", "{arguments:?}");
            assert!(
                text(&output.stderr).contains(unknown),
                "{arguments:?}: {output:?}"
            );
        }
    }
    let output = database.taskhold(&["export", "--user", "nobody", "--output", "new.json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(fs::read_to_string(&kept).expect("the file"), "a backup");
    assert!(!folder.join("new.json").exists());
    let output = database.taskhold(&["token", "--user", "nobody"]);
    assert!(output.status.success(), "{output:?}");
    assert!(
        text(&output.stderr).contains("there is no user nobody yet"),
        "{output:?}"
    );
    assert_eq!(anna.tasks().await.len(), 3);
}

async fn name_of_two_users_is_refused(database: Database) {
    let email = "anna@example.org";
    let service = Service::start(&database).await;
    // A user of another issuer whose id looks like an address.
    service
        .client(email)
        .create(json!({"title": "theirs"}))
        .await;
    let account = json!({"email": email, "password": "correct horse battery"});
    let answer = service
        .client_with(None)
        .post("/api/auth/register", account)
        .await;
    let id = answer.body["user"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();

    let file = database.file(r#"[{"id": 1, "title": "t"}]"#);
    let map = format!("old={email}");
    for arguments in [
        &["user", "deactivate", email][..],
        &["user", "activate", email],
        &["user", "delete", email, "--yes"],
        &["user", "set-password", email],
        &["export", "--user", email],
        &["import", &file, "--user", email],
        &["import", &file, "--map", &map],
        &["token", "--user", email],
    ] {
        let output = database.taskhold(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let printed = text(&output.stderr);
        for user in [
            format!("{id} ({email})"),
            format!("{email} (no e-mail address)"),
        ] {
            assert!(printed.contains(&user), "{arguments:?}: {printed}");
        }
    }
    let list = database.taskhold(&["user", "list"]);
    assert!(!text(&list.stdout).contains("deactivated"), "{list:?}");
    for (name, expected) in [
        ("id:anna@example.org", email),
        ("email:anna@example.org", &id),
    ] {
        let output = database.taskhold(&["user", "deactivate", name]);
        assert!(output.status.success(), "{output:?}");
        assert!(
            text(&output.stdout).starts_with(&format!("{expected} (")),
            "{output:?}"
        );
    }
}

/// Nobody would find the tasks of a new user whose id is the address of an account.
async fn address_of_an_account_as_owner_in_a_file_is_refused(database: Database) {
    let service = Service::start(&database).await;
    let account = json!({"email": "anna@example.org", "password": "correct horse battery"});
    let answer = service
        .client_with(None)
        .post("/api/auth/register", account)
        .await;
    let id = answer.body["user"]["id"].as_str().expect("an id");
    let file = database.file(r#"[{"id": 1, "title": "t", "user_id": "Anna@example.org"}]"#);
    for options in [&[][..], &["--dry-run"]] {
        let output = database.taskhold(&[&["import", &file], options].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let printed = text(&output.stderr);
        assert!(
            printed.contains("--map Anna@example.org=email:Anna@example.org"),
            "{printed}"
        );
    }
    let map = ["--map", "Anna@example.org=email:Anna@example.org"];
    let (status, report) = database.import(&file, &map);
    assert_eq!((status, &report["owners"][id]["imported"]), (0, &json!(1)));
    assert_eq!(report["new_users"], json!([]));
    // Without such an account it is an id like any other.
    let file = database.file(r#"[{"id": 1, "title": "t", "user_id": "bob@example.org"}]"#);
    let (status, report) = database.import(&file, &[]);
    assert_eq!(
        (status, &report["new_users"]),
        (0, &json!(["bob@example.org"]))
    );
}

on_both_stores! {
    every_command_says_who_was_meant
    name_of_two_users_is_refused
    address_of_an_account_as_owner_in_a_file_is_refused
}
