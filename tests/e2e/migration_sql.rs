//! `migration/sql` holds the statements that each migration sends to PostgreSQL, as the linter and people read them.

use std::fs;

use sqlx::{Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;

use crate::requirements::repository;
use crate::service::{Database, eventually, run};

/// Returns the statements in a log of the server that change the database, in their order.
fn changes(log: &str) -> Vec<String> {
    let mut statements = Vec::<String>::new();
    let mut is_statement = false;
    for line in log.lines() {
        if let Some(more) = line.strip_prefix('\t') {
            if let (true, Some(statement)) = (is_statement, statements.last_mut()) {
                statement.push('\n');
                statement.push_str(more);
            }
            continue;
        }
        let prepared = line
            .split_once("LOG:  execute ")
            .and_then(|(_, rest)| rest.split_once(": "));
        let found = line.split_once("LOG:  statement: ").or(prepared);
        is_statement = found.is_some();
        statements.extend(found.map(|(_, statement)| statement.to_owned()));
    }
    statements.retain(|statement| {
        let kinds = [
            "CREATE ", "ALTER ", "DROP ", "INSERT ", "UPDATE ", "DELETE ", "LOCK ",
        ];
        kinds.iter().any(|kind| statement.starts_with(kind))
            && !statement.starts_with("CREATE TABLE IF NOT EXISTS \"seaql_migrations\"")
            && !statement.starts_with("ALTER SYSTEM")
    });
    // Those of the lock, which come before the statements of a migration.
    let is_lock = |statement: &String| statement.starts_with("INSERT INTO locks");
    while let Some(lock) = statements.iter().position(is_lock) {
        let is_created = lock > 0 && statements[lock - 1].contains(" \"locks\" (");
        statements.drain(lock - usize::from(is_created)..=lock);
    }
    statements
}

#[tokio::test]
async fn sql_of_each_migration_is_committed() {
    let server = PostgresServer::start().expect("a server");
    let database = Database::at(&server.url("postgres"));
    let mut admin = PgConnection::connect(&database.url)
        .await
        .expect("connected");
    for sql in [
        "ALTER SYSTEM SET log_statement = 'all'",
        "SELECT pg_reload_conf()",
    ] {
        admin.execute(sql).await.expect("executed");
    }
    eventually("statements are logged", async || {
        let logged = sqlx::query_scalar::<_, String>("SHOW log_statement").fetch_one(&mut admin);
        (logged.await.expect("answered") == "all").then_some(())
    })
    .await;
    let variables = [("DATABASE_URL", database.url.as_str())];
    let migrate = |arguments: &[&str]| {
        let before = server.log().len();
        let arguments = [&["migrate"], arguments].concat();
        let output = run(database.folder.path(), &variables, &arguments);
        assert!(output.status.success(), "{output:?}");
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        (printed, changes(&server.log()[before..]))
    };
    let (_, install) = migrate(&["up"]);
    let (status, _) = migrate(&["status"]);
    let names = status
        .lines()
        .filter_map(|line| line.strip_prefix("applied"))
        .map(str::trim);
    // A database that has tables is migrated as one in use, which builds indexes without a transaction.
    let steps = (names.clone().count() - 1).to_string();
    migrate(&["down", "--steps", &steps, "--yes"]);
    let (_, upgrade) = migrate(&["up"]);

    // The record of a migration comes after its statements.
    let is_record = |statement: &String| statement.starts_with("INSERT INTO \"seaql_migrations\"");
    let mut migrations = install
        .split(is_record)
        .take(1)
        .chain(upgrade.split(is_record));
    let folder = repository().join("migration/sql");
    for name in names {
        let statements = migrations.next().expect("statements");
        assert!(!statements.is_empty(), "{name}");
        let sql = statements.join(";\n") + ";\n";
        let file = folder.join(format!("{name}.sql"));
        if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
            fs::write(&file, &sql).expect("written");
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            sql,
            committed,
            "write {} with INSTA_UPDATE=always, and read it before you commit it",
            file.display()
        );
    }
}
