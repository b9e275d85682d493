//! Migrations and the constraints of the tables.

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use taskhold_domain::account::Email;
use taskhold_domain::personal_token::TokenName;
use taskhold_domain::task::{Description, Details, Task, TaskDraft, TaskId, Title, Version};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_infrastructure::url::DatabaseUrl;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{Sort, SortKey, Start, TaskQuery};
use taskhold_testkit::contract::try_add;
use taskhold_testkit::postgres::PostgresDatabase;
use uuid::Uuid;

use crate::database::{self, TestDatabase, migrator, parsed, sqlite_url};

async fn execute(sql: &DatabaseConnection, statement: &str) {
    sql.execute_unprepared(statement).await.expect("executed");
}

async fn concurrent_migrations_apply_once(url: &DatabaseUrl) {
    let migrations = migrator(url).await.status().await.expect("a status");
    assert!(
        migrations
            .iter()
            .all(|migration| migration.known && !migration.applied)
    );

    let instances = (0..8).map(|_| async { migrator(url).await.up().await });
    let mut applied = Vec::new();
    for outcome in join_all(instances).await {
        applied.push(outcome.expect("every instance succeeds"));
    }
    applied.sort_unstable();
    assert_eq!(
        applied.pop(),
        Some(migrations.len()),
        "one instance does all the work"
    );
    assert!(applied.iter().all(|count| *count == 0), "{applied:?}");

    let migrations = migrator(url).await.status().await.expect("a status");
    assert!(migrations.iter().all(|migration| migration.applied));
}

async fn migrations_go_down_and_up_again(url: &DatabaseUrl) {
    let migrator = migrator(url).await;
    let all = migrator.up().await.expect("up");
    assert!(all > 0);
    let steps = u32::try_from(all).expect("few migrations");
    let (reverted, left) = migrator.down(steps).await.expect("down");
    assert_eq!(
        (reverted, left),
        (taskhold_infrastructure::db::migrations::known(), vec![])
    );
    assert_eq!(migrator.up().await.expect("up again"), all);
    assert_eq!(migrator.up().await.expect("nothing to do"), 0);
}

async fn fresh_empties_the_store(store: &TestDatabase) {
    try_add(store, &valid_task()).await.expect("added");
    store.migrator.fresh().await.expect("fresh");
    let owner = valid_task().owner;
    assert_eq!(
        store
            .tasks
            .list(&owner, &TaskQuery::default())
            .await
            .expect("listed")
            .tasks,
        []
    );
    try_add(store, &valid_task())
        .await
        .expect("the tables are there");
}

/// The previous version must keep running while this one is rolled out.
async fn newer_schema_is_left_unchanged(store: &TestDatabase) {
    execute(
        &store.sql,
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m99990101_000001_from_the_future', 0)",
    )
    .await;
    assert_eq!(store.migrator.up().await.expect("nothing to do"), 0);
    let migrations = store.migrator.status().await.expect("a status");
    let unknown: Vec<_> = migrations
        .iter()
        .filter(|migration| !migration.known)
        .collect();
    assert_eq!(unknown.len(), 1);
    assert!(store.health.schema_is_current().await.expect("answered"));
}

fn valid_task() -> Task {
    let draft = TaskDraft {
        title: Title::parse("Buy milk").expect("a title"),
        description: Description::default(),
        completed: false,
        details: Details::default(),
    };
    let owner = UserId::parse("alice").expect("a user id");
    let now = Timestamp::from_micros(1_000_000).expect("a time");
    Task::create(TaskId::from_uuid(Uuid::from_u128(1)), owner, draft, now)
}

/// The previous version inserts only these columns.
fn insert_user(id: &str, email: &str) -> String {
    format!(
        "INSERT INTO users (id, email, name, password_hash, is_active, created_at, updated_at) \
         VALUES ('{id}', '{email}', NULL, NULL, TRUE, 0, 0)"
    )
}

/// The tables repeat the limits of the domain; this test keeps both equal.
async fn tables_refuse_values_the_domain_refuses(store: &TestDatabase) {
    try_add(store, &valid_task()).await.expect("added");
    let longest_title = "\u{1F600}".repeat(Title::MAX_CHARS);
    let longest_description = "\u{1F600}".repeat(Description::MAX_CHARS);
    let longest_user = "\u{1F600}".repeat(UserId::MAX_CHARS);
    let longest_email = "\u{1F600}".repeat(Email::MAX_CHARS);
    for accepted in [
        format!("UPDATE tasks SET title = '{longest_title}'"),
        format!("UPDATE tasks SET description = '{longest_description}'"),
        insert_user(&longest_user, &longest_email),
    ] {
        execute(&store.sql, &accepted).await;
    }
    for refused in [
        "UPDATE tasks SET title = ''".to_owned(),
        format!("UPDATE tasks SET title = '{longest_title}a'"),
        format!("UPDATE tasks SET description = '{longest_description}a'"),
        "UPDATE tasks SET title = NULL".to_owned(),
        "UPDATE tasks SET version = 0".to_owned(),
        "UPDATE tasks SET updated_at = created_at - 1".to_owned(),
        "UPDATE tasks SET user_id = 'nobody'".to_owned(),
        insert_user("", "a@b.example"),
        insert_user("bob", ""),
        insert_user("bob", &format!("{longest_email}a")),
        insert_user("bob", &longest_email),
        insert_user(&format!("{longest_user}a"), "a@b.example"),
    ] {
        let outcome = store.sql.execute_unprepared(&refused).await;
        assert!(outcome.is_err(), "{refused}");
    }
}

/// Returns `count` bytes as a literal in the store's dialect.
fn bytes(store: &TestDatabase, count: usize) -> String {
    let digits = "a7".repeat(count);
    if store.sql.get_database_backend() == DbBackend::Postgres {
        format!("'\\x{digits}'::bytea")
    } else {
        format!("x'{digits}'")
    }
}

/// A digest has exactly 32 bytes, a counter starts at one, a session or a token needs a user, and a token a name as long
/// as the domain takes.
async fn account_tables_refuse_invalid_rows(store: &TestDatabase) {
    try_add(store, &valid_task()).await.expect("added");
    let family = bytes(store, 16);
    let family = if store.sql.get_database_backend() == DbBackend::Postgres {
        format!("encode({family}, 'hex')::uuid")
    } else {
        family
    };
    let insert_token = |digest: &str, user: &str, name: &str| {
        format!(
            "INSERT INTO personal_tokens (id, token_hash, user_id, name, scopes, created_at) \
             VALUES ({family}, {digest}, '{user}', '{name}', 'tasks:read', 0)"
        )
    };
    let insert_all = |digest: &str, user: &str, count: i32| {
        [
            format!(
                "INSERT INTO refresh_tokens (token_hash, family, user_id, created_at, expires_at) \
                 VALUES ({digest}, {family}, '{user}', 0, 0)"
            ),
            format!(
                "INSERT INTO revocations (subject_hash, not_before, kept_until) \
                 VALUES ({digest}, 0, 0)"
            ),
            format!("INSERT INTO attempts (bucket, count, since) VALUES ({digest}, {count}, 0)"),
            insert_token(digest, user, "laptop"),
        ]
    };
    let refused = [0, 31, 33]
        .into_iter()
        .flat_map(|length| insert_all(&bytes(store, length), "alice", 1));
    let of_nobody = insert_all(&bytes(store, 32), "nobody", 0);
    let [session, _, counter, token] = of_nobody;
    let longest_name = "\u{1F600}".repeat(TokenName::MAX_CHARS);
    let names = ["", &format!("{longest_name}a")];
    let misnamed = names.map(|name| insert_token(&bytes(store, 32), "alice", name));
    for refused in refused.chain([session, counter, token]).chain(misnamed) {
        let outcome = store.sql.execute_unprepared(&refused).await;
        assert!(outcome.is_err(), "{refused}");
    }
    for accepted in insert_all(&bytes(store, 32), "alice", 1) {
        execute(&store.sql, &accepted).await;
        let again = store.sql.execute_unprepared(&accepted).await;
        assert!(again.is_err(), "twice: {accepted}");
    }
    execute(
        &store.sql,
        &format!("UPDATE personal_tokens SET name = '{longest_name}'"),
    )
    .await;
}

/// Reverting a migration removes only what that migration created.
async fn users_and_tasks_survive_a_downgrade(store: &TestDatabase) {
    const BEFORE_ACCOUNTS: usize = 2;
    try_add(store, &valid_task()).await.expect("added");
    let all = store.migrator.status().await.expect("a status").len();
    let steps = u32::try_from(all - BEFORE_ACCOUNTS).expect("few migrations");
    let (_, left) = store.migrator.down(steps).await.expect("down");
    assert_eq!(left.len(), BEFORE_ACCOUNTS);
    execute(&store.sql, &insert_user("bob", "bob@example.org")).await;
    store.migrator.up().await.expect("up again");
    for name in ["alice", "bob"] {
        let user = UserId::parse(name).expect("a user id");
        let found = store.users.find(&user).await.expect("answered");
        assert_eq!(found.map(|user| user.id), Some(user));
    }
    let task = valid_task();
    let found = store.tasks.find(&task.owner, task.id).await;
    assert_eq!(found.expect("answered"), Some(task));
}

async fn nul_is_refused(store: &TestDatabase) {
    try_add(store, &valid_task()).await.expect("added");
    for column in ["title", "description"] {
        let statement = format!("UPDATE tasks SET {column} = 'a' || char(0) || 'b'");
        assert!(
            store.sql.execute_unprepared(&statement).await.is_err(),
            "{column}"
        );
    }
}

/// Regression test for fault 5 of the predecessor: one stored row that broke a rule hid the whole
/// list.
async fn fault_5_corrupt_row_does_not_hide_the_list(store: &TestDatabase) {
    let valid = Task {
        id: TaskId::from_uuid(Uuid::from_u128(2)),
        version: Version::FIRST.next(),
        ..valid_task()
    };
    let corrupt = valid_task();
    try_add(store, &valid).await.expect("added");
    try_add(store, &corrupt).await.expect("added");
    if store.sql.get_database_backend() == DbBackend::Postgres {
        execute(
            &store.sql,
            "ALTER TABLE tasks DROP CONSTRAINT tasks_title_length",
        )
        .await;
    } else {
        execute(&store.sql, "PRAGMA ignore_check_constraints = ON").await;
    }
    execute(&store.sql, "UPDATE tasks SET title = '' WHERE version = 1").await;
    assert_eq!(
        store
            .tasks
            .list(&valid.owner, &TaskQuery::default())
            .await
            .expect("listed")
            .tasks,
        [valid]
    );
    let read = store.tasks.find(&corrupt.owner, corrupt.id).await;
    assert!(matches!(read, Err(StoreError::Defect(_))), "{read:?}");
}

/// A cursor cannot express the time of such a row, and must not lead back to rows that were listed already.
async fn pages_end_after_rows_with_a_time_out_of_range(store: &TestDatabase) {
    for number in 1..=6 {
        let task = Task {
            id: TaskId::from_uuid(Uuid::from_u128(number)),
            version: (1..number).fold(Version::FIRST, |version, _| version.next()),
            ..valid_task()
        };
        try_add(store, &task).await.expect("added");
    }
    for (version, micros) in [(1, i64::MIN), (2, i64::MIN), (5, i64::MAX), (6, i64::MAX)] {
        let update = format!(
            "UPDATE tasks SET created_at = {micros}, updated_at = {micros} WHERE version = {version}"
        );
        execute(&store.sql, &update).await;
        // The version before this one reopens a task and leaves the time.
        let update = format!(
            "UPDATE tasks SET is_completed = TRUE, completed_at = {micros} WHERE version = {version}; \
             UPDATE tasks SET completed_at = 7 WHERE version = 4"
        );
        execute(&store.sql, &update).await;
    }
    for (key, descending) in [
        (SortKey::CreatedAt, true),
        (SortKey::CreatedAt, false),
        (SortKey::UpdatedAt, true),
        (SortKey::UpdatedAt, false),
        (SortKey::CompletedAt, true),
        (SortKey::CompletedAt, false),
        (SortKey::Position, true),
        (SortKey::Position, false),
    ] {
        let mut query = TaskQuery {
            sort: Sort { key, descending },
            limit: Some(1),
            ..TaskQuery::default()
        };
        let mut listed = 0;
        for page in 0.. {
            assert!(page <= 6, "{key:?} {descending}: the pages do not end");
            let page = store.tasks.list(&valid_task().owner, &query).await;
            let page = page.expect("listed");
            listed += page.tasks.len();
            let Some(next) = page.next else { break };
            query.start = Start::After(next);
        }
        assert_eq!(listed, 2, "{key:?} {descending}");
    }
}

/// Each step is applied once, be it in a transaction or the build of an index.
async fn concurrent_upgrades_apply_once(url: &DatabaseUrl) {
    let first = migrator(url).await;
    first.up().await.expect("up");
    first.down(2).await.expect("down");
    let instances = (0..4).map(|_| async { migrator(url).await.up().await });
    let applied = join_all(instances).await;
    let applied = applied
        .into_iter()
        .map(|count| count.expect("every instance succeeds"));
    assert_eq!(applied.sum::<usize>(), 2);
    let migrations = first.status().await.expect("a status");
    assert!(migrations.iter().all(|migration| migration.applied));
}

on_both_stores! {
    fresh_empties_the_store
    newer_schema_is_left_unchanged
    tables_refuse_values_the_domain_refuses
    account_tables_refuse_invalid_rows
    users_and_tasks_survive_a_downgrade
    fault_5_corrupt_row_does_not_hide_the_list
    pages_end_after_rows_with_a_time_out_of_range
}

#[tokio::test]
async fn sqlite_refuses_nul() {
    nul_is_refused(&database::sqlite().await).await;
}

/// Regression test for fault 10 of the predecessor: its migrations failed on an empty database.
#[tokio::test]
async fn fault_10_concurrent_migrations_of_empty_sqlite_apply_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    concurrent_migrations_apply_once(&sqlite_url(&folder)).await;
}

#[tokio::test]
async fn fault_10_concurrent_migrations_of_empty_postgres_apply_once() {
    let database = PostgresDatabase::empty().await;
    concurrent_migrations_apply_once(&parsed(database.url())).await;
}

#[tokio::test]
async fn concurrent_upgrades_of_sqlite_apply_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    concurrent_upgrades_apply_once(&sqlite_url(&folder)).await;
}

#[tokio::test]
async fn concurrent_upgrades_of_postgres_apply_once() {
    let database = PostgresDatabase::empty().await;
    concurrent_upgrades_apply_once(&parsed(database.url())).await;
}

#[tokio::test]
async fn sqlite_migrations_go_down_and_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    migrations_go_down_and_up_again(&sqlite_url(&folder)).await;
}

#[tokio::test]
async fn postgres_migrations_go_down_and_up() {
    let database = PostgresDatabase::empty().await;
    migrations_go_down_and_up_again(&parsed(database.url())).await;
}
