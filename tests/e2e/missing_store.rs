//! Commands in the wrong folder or database, and names of users.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::service::{Database, SECRET, Service, run};

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

fn names(database: &Database) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![database.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            names.push(path.display().to_string());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    names.sort();
    names
}

impl Database {
    fn run_named(&self, arguments: &[&str]) -> Output {
        let variables = [("DATABASE_URL", self.url.as_str()), ("JWT_SECRET", SECRET)];
        run(self.folder.path(), &variables, arguments)
    }
}

const READING: [&[&str]; 12] = [
    &["user", "list"],
    &["user", "activate", "anna"],
    &["user", "deactivate", "anna"],
    &["user", "delete", "anna", "--yes"],
    &["user", "set-password", "anna"],
    &["export", "--user", "anna"],
    &["export", "--user", "anna", "--output", "kept.json"],
    &["import", "--dry-run", "file.json"],
    &["token", "--user", "anna"],
    &["migrate", "status"],
    &["backup"],
    &["copy", "--to", "sqlite://copy.db"],
];

async fn command_on_a_missing_store_makes_nothing(database: Database) {
    fs::write(database.folder.path().join("kept.json"), "a backup").expect("written");
    database.file(r#"[{"id": 1, "title": "t"}]"#);
    let before = names(&database);
    for arguments in READING {
        let output = database.run_named(arguments);
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {printed}");
        assert!(printed.contains("DATABASE_URL"), "{arguments:?}: {printed}");
        assert!(
            printed.contains("`taskhold migrate up`"),
            "{arguments:?}: {printed}"
        );
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        assert_eq!(names(&database), before, "{arguments:?}");
    }
    let kept = fs::read_to_string(database.folder.path().join("kept.json"));
    assert_eq!(kept.expect("the file"), "a backup");
    for arguments in [
        &["backup", "list"][..],
        &["backup", "prune"],
        &["backup", "verify"],
    ] {
        let output = database.run_named(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert_eq!(names(&database), before, "{arguments:?}");
    }
    // An import may make the store.
    let output = database.run_named(&["import", "file.json"]);
    assert!(output.status.success(), "{output:?}");
    assert!(
        text(&output.stdout).contains("default_user (a new user)"),
        "{output:?}"
    );
}

async fn reading_command_does_not_migrate(database: Database) {
    let file = database.file(r#"[{"id": 1, "title": "t", "user_id": "anna"}]"#);
    assert_eq!(database.import(&file, &[]).0, 0);
    let down = database.run_named(&["migrate", "down", "--yes"]);
    assert!(down.status.success(), "{down:?}");
    for arguments in [
        &["user", "list"][..],
        &["export", "--user", "anna"],
        &["import", "--dry-run", &file],
        &["token", "--user", "anna"],
    ] {
        let output = database.run_named(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let printed = text(&output.stderr);
        assert!(
            printed.contains("run `taskhold migrate up`"),
            "{arguments:?}: {printed}"
        );
        let status = database.run_named(&["migrate", "status"]);
        assert!(text(&status.stdout).contains("pending"), "{arguments:?}");
    }
    // A command that changes an existing store migrates it, and a backup holds it as it is.
    assert!(database.run_named(&["backup"]).status.success());
    let status = database.run_named(&["migrate", "status"]);
    assert!(text(&status.stdout).contains("pending"));
    let output = database.run_named(&["user", "deactivate", "anna"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stdout).lines().count(), 1);
}

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

    let output = database.run_named(&["export", "--user", "Anna@Example.org"]);
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).contains("hers"));
    assert!(text(&output.stderr).contains(&named), "{output:?}");
    let output = database.run_named(&["token", "--user", email]);
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
        let output = database.run_named(arguments);
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
            let output = database.run_named(arguments);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
            assert_eq!(text(&output.stdout), "", "{arguments:?}");
            assert!(
                text(&output.stderr).contains(unknown),
                "{arguments:?}: {output:?}"
            );
        }
    }
    let output = database.run_named(&["export", "--user", "nobody", "--output", "new.json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(fs::read_to_string(&kept).expect("the file"), "a backup");
    assert!(!folder.join("new.json").exists());
    let output = database.run_named(&["token", "--user", "nobody"]);
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
        let output = database.run_named(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let printed = text(&output.stderr);
        for user in [
            format!("{id} ({email})"),
            format!("{email} (no e-mail address)"),
        ] {
            assert!(printed.contains(&user), "{arguments:?}: {printed}");
        }
    }
    let list = database.run_named(&["user", "list"]);
    assert!(!text(&list.stdout).contains("deactivated"), "{list:?}");
    for (name, expected) in [
        ("id:anna@example.org", email),
        ("email:anna@example.org", &id),
    ] {
        let output = database.run_named(&["user", "deactivate", name]);
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
        let output = database.run_named(&[&["import", &file], options].concat());
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
    command_on_a_missing_store_makes_nothing
    reading_command_does_not_migrate
    every_command_says_who_was_meant
    name_of_two_users_is_refused
    address_of_an_account_as_owner_in_a_file_is_refused
}

#[tokio::test]
async fn file_of_another_program_stays_as_it_is() {
    let database = Database::sqlite();
    fs::create_dir(database.folder.path().join("data")).expect("a folder");
    let url = format!("{}?mode=rwc", database.url);
    let mut connection = SqliteConnection::connect(&url).await.expect("a file");
    let made = connection.execute("CREATE TABLE tasks (note TEXT)").await;
    made.expect("a table");
    connection.close().await.expect("closed");
    let path = database.folder.path().join("data/taskhold.db");
    let before = fs::read(&path).expect("a file");
    fs::write(database.folder.path().join("file.json"), "[]").expect("written");
    for arguments in READING {
        let output = database.run_named(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert!(
            text(&output.stderr).contains("no tables of Taskhold"),
            "{output:?}"
        );
        assert!(fs::read(&path).expect("a file") == before, "{arguments:?}");
        assert_eq!(names(&database).len(), 3, "{arguments:?}");
    }
}

#[test]
fn token_makes_no_secret() {
    let database = Database::sqlite();
    let file = database.file("[]");
    assert_eq!(database.import(&file, &[]).0, 0);
    let output = run(database.folder.path(), &[], &["token", "--user", "anna"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stderr).contains("start the service"),
        "{output:?}"
    );
    assert!(!database.folder.path().join("data/jwt-secret").exists());
}

#[test]
fn unknown_members_are_named() {
    let database = Database::sqlite();
    let file = database.file(
        r#"[{"id": 1, "title": "a", "done": true, "dueDate": "2026-12-01", "color": "red"},
            {"id": 2, "title": "b", "done": true, "user": "bob"}, {"id": 3, "title": "", "is_completed": true}]"#,
    );
    let refused = database.run_named(&["import", &file, "--strict"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    for name in ["done in 2 rows", "dueDate in 1 rows", "color in 1 rows"] {
        assert!(text(&refused.stderr).contains(name), "{refused:?}");
    }
    assert_eq!(text(&refused.stdout), "");
    for options in [&["--dry-run"][..], &[]] {
        let output = database.run_named(&[&["import", &file], options].concat());
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let (summary, warnings) = (text(&output.stdout), text(&output.stderr));
        for name in ["done", "dueDate", "color", "user", "is_completed"] {
            assert!(summary.contains(&format!("  {name} in ")), "{summary}");
            let is_warned = warnings.contains(&format!("warning: {name} ("));
            assert_eq!(is_warned, name != "color", "{name}: {warnings}");
        }
    }
    let (_, report) = database.import(&file, &[]);
    let found = report["unknown_members"].as_array().expect("a list");
    let looks = |name: &str| {
        let member = found.iter().find(|member| member["name"] == name);
        let member = member.unwrap_or_else(|| panic!("{report}"));
        (member["rows"].clone(), member["looks_like"].clone())
    };
    assert_eq!(looks("done"), (json!(2), json!("completion")));
    assert_eq!(looks("user"), (json!(1), json!("owner")));
    assert_eq!(looks("dueDate"), (json!(1), json!("date")));
    assert_eq!(looks("color"), (json!(1), Value::Null));
    let known = database.file(r#"[{"id": 9, "title": "a", "completed": true}]"#);
    assert_eq!(database.import(&known, &["--strict"]).0, 0);
}
