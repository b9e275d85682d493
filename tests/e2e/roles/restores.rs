//! Restores keep the rights of every role, and the owner of the tables.

use super::{DocumentedServer, assert_service_works};
use crate::service::{Client, Database, Service, TASKS, eventually, run, run_with_input, token};

/// The service must also be able to read and write tables that are created later.
#[tokio::test]
async fn role_privileges_survive_migrations_and_restores() {
    let server = DocumentedServer::start().await;
    let owner = server.url("taskhold_owner", "taskhold");
    let owner = Database::at(&owner);
    let as_owner = |arguments: &[&str]| {
        let variables = [("DATABASE_URL", owner.url.as_str())];
        let done = run_with_input(owner.folder.path(), &variables, arguments, "taskhold");
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    };
    as_owner(&["migrate", "down", "--steps", "3", "--yes"]);
    as_owner(&["migrate", "up"]);
    let service = server.serve().await;
    assert_service_works(&service).await;
    assert!(service.stop().await.success());
    as_owner(&["backup"]);
    as_owner(&["restore", "--force", "backups"]);
    let service = server.serve().await;
    // Users and their tasks are restored; tokens issued before the restore are revoked.
    let tasks = client_with_new_token(&service).await.tasks().await;
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    assert_service_works(&service).await;
}

/// Returns a client of the user bob with a token issued after the restore.
async fn client_with_new_token(service: &Service) -> Client {
    eventually("a new token is accepted", async || {
        let client = service.client_with(Some(token("bob")));
        (client.get(TASKS).await.status == 200).then_some(client)
    })
    .await
}

/// Returns the rights of all roles on the tables, and the owners of the tables.
async fn rights(server: &DocumentedServer) -> Vec<(String, String, Option<String>)> {
    let mut admin = server.connect("postgres", "taskhold").await;
    let rights = "SELECT relname::text, relowner::regrole::text,
                         (SELECT string_agg(acl::text, ' ' ORDER BY acl::text) FROM unnest(relacl) AS acl)
                  FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1";
    let rights = sqlx::query_as(rights).fetch_all(&mut admin).await;
    rights.expect("rights")
}

/// An empty database has no default privileges: the backup says what to grant.
#[tokio::test]
async fn restore_into_a_new_database_gives_every_role_its_rights() {
    let server = DocumentedServer::start().await;
    server
        .execute(
            "taskhold_owner",
            "taskhold",
            &["GRANT SELECT ON tasks TO pg_monitor"],
        )
        .await;
    let service = server.serve().await;
    assert_service_works(&service).await;
    assert!(service.stop().await.success());
    let before = rights(&server).await;
    let folder = Database::sqlite().folder;
    // A backup by the service's role holds the rights as well.
    let serving = server.url("taskhold", "taskhold");
    let done = run(folder.path(), &[("DATABASE_URL", &serving)], &["backup"]);
    assert!(done.status.success(), "{done:?}");
    server
        .execute(
            "postgres",
            "postgres",
            &[
                "DROP DATABASE taskhold",
                "CREATE DATABASE taskhold OWNER taskhold_owner",
                "REVOKE ALL ON DATABASE taskhold FROM PUBLIC",
            ],
        )
        .await;
    let owner = server.url("taskhold_owner", "taskhold");
    server
        .execute(
            "taskhold_owner",
            "taskhold",
            &["REVOKE ALL ON SCHEMA public FROM PUBLIC"],
        )
        .await;
    let restore = || {
        run(
            folder.path(),
            &[("DATABASE_URL", &owner)],
            &["restore", "backups"],
        )
    };
    let done = restore();
    let printed = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{done:?}");
    assert!(
        printed.contains("the rights on the tables are as before, of pg_monitor, taskhold\n"),
        "{printed}"
    );
    assert_eq!(rights(&server).await, before);
    let service = server.serve().await;
    assert_service_works(&service).await;
    assert!(service.stop().await.success());
    // Tables of later migrations are for the service, too.
    server
        .execute(
            "taskhold_owner",
            "taskhold",
            &["CREATE TABLE later (id int)"],
        )
        .await;
    server
        .execute(
            "taskhold",
            "taskhold",
            &["INSERT INTO later VALUES (1)", "DELETE FROM later"],
        )
        .await;

    // A server that lacks the role: the statements are left to its administrator.
    server
        .execute(
            "postgres",
            "postgres",
            &["DROP DATABASE taskhold", "DROP ROLE taskhold"],
        )
        .await;
    let create = "CREATE DATABASE taskhold OWNER taskhold_owner";
    server.execute("postgres", "postgres", &[create]).await;
    let done = restore();
    assert!(done.status.success(), "{done:?}");
    let printed = String::from_utf8_lossy(&done.stdout).into_owned();
    let left: Vec<_> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("left to an administrator: "))
        .collect();
    assert_eq!(left[0], r#"CREATE ROLE "taskhold";"#, "{printed}");
    server.execute("postgres", "taskhold", &left).await;
    let login = "ALTER ROLE taskhold LOGIN";
    server.execute("postgres", "postgres", &[login]).await;
    let service = server.serve().await;
    assert_service_works(&service).await;
}

/// Otherwise the owner could not migrate the tables any more.
#[tokio::test]
async fn restore_by_a_superuser_keeps_owner_and_rights() {
    let server = DocumentedServer::start().await;
    let service = server.serve().await;
    assert_service_works(&service).await;
    assert!(service.stop().await.success());
    let before = rights(&server).await;
    let database = Database::at(&server.url("postgres", "taskhold"));
    for arguments in [&["backup"][..], &["restore", "--force", "backups"]] {
        let variables = [("DATABASE_URL", database.url.as_str())];
        let done = run_with_input(database.folder.path(), &variables, arguments, "taskhold");
        assert!(done.status.success(), "{done:?}");
    }
    assert_eq!(rights(&server).await, before);
    let service = server.serve().await;
    assert_service_works(&service).await;
}
