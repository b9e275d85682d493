//! The texts that a search compares, beside an instance of the version before, which does not know their columns.

use sea_orm::ConnectionTrait as _;
use taskhold_domain::task::{
    Completion, Description, Details, Position, Task, TaskChange, TaskId, Title, Version,
};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::search::SearchRepository as _;
use taskhold_repository::tasks::{Precondition, TaskQuery};
use taskhold_testkit::contract::{try_add, try_change};
use uuid::Uuid;

use crate::database::TestDatabase;

fn alice() -> UserId {
    UserId::parse("alice").expect("a user id")
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).expect("a time")
}

fn task(number: u128, title: &str) -> Task {
    Task {
        id: TaskId::from_uuid(Uuid::from_u128(number)),
        owner: alice(),
        title: Title::parse(title).expect("a title"),
        description: Description::default(),
        completed: false,
        version: Version::FIRST,
        created_at: at(0),
        updated_at: at(0),
        completed_at: None,
        position: Position::default(),
        details: Details::default(),
    }
}

async fn execute(store: &TestDatabase, statement: &str) {
    let executed = store.sql.execute_unprepared(statement).await;
    executed.expect(statement);
}

/// Changes the title of every task as the version before does.
async fn retitle_as_before(store: &TestDatabase, title: &str, folded: &str) {
    let update = format!(
        "UPDATE tasks SET title = '{title}', title_folded = '{folded}', version = version + 1, \
         updated_at = updated_at + 1"
    );
    execute(store, &update).await;
}

/// Returns the number of tasks that a search for each text finds.
async fn found<const N: usize>(store: &TestDatabase, texts: [&str; N]) -> [usize; N] {
    let mut found = [0; N];
    for (count, text) in found.iter_mut().zip(texts) {
        let query = TaskQuery {
            text: Some(text.to_owned()),
            ..TaskQuery::default()
        };
        let page = store.tasks.list(&alice(), &query).await.expect("listed");
        *count = page.tasks.len();
    }
    found
}

/// Rebuilds in batches of `most` tasks, and returns how many each had.
async fn rebuild(store: &TestDatabase, most: u32) -> Vec<usize> {
    let (mut batches, mut last) = (Vec::new(), None);
    loop {
        let rebuilt = store.database.rebuild(last, most).await.expect("rebuilt");
        batches.push(rebuilt.len());
        match rebuilt.last() {
            Some(id) => last = Some(*id),
            None => return batches,
        }
    }
}

async fn task_of_the_version_before_is_found_and_rebuilt(store: &TestDatabase) {
    try_add(store, &task(1, "Allee 1")).await.expect("added");
    retitle_as_before(store, "Straße 1", "straße 1").await;
    let texts = ["STRAßE", "strasse", "allee"];
    assert_eq!(
        found(store, texts).await,
        [1, 0, 0],
        "as that version finds it"
    );
    assert_eq!(rebuild(store, 10).await, [1, 0]);
    assert_eq!(found(store, texts).await, [1, 1, 0]);
    assert_eq!(rebuild(store, 10).await, [0]);
    let read = store.tasks.find(&alice(), task(1, "x").id).await;
    let read = read.expect("answered").expect("a task");
    assert_eq!(
        (read.version.get(), read.updated_at),
        (2, at(1)),
        "unchanged"
    );
}

async fn new_task_of_the_version_before_is_found_and_rebuilt(store: &TestDatabase) {
    try_add(store, &task(1, "Allee")).await.expect("added");
    let id = match store.sql.get_database_backend() {
        sea_orm::DbBackend::Postgres => "'00000000-0000-0000-0000-000000000002'",
        _ => "x'00000000000000000000000000000002'",
    };
    let insert = format!(
        "INSERT INTO tasks (id, user_id, title, description, title_folded, description_folded, is_completed, \
         version, created_at, updated_at) VALUES ({id}, 'alice', 'Straße', '', 'straße', '', FALSE, 1, 0, 0)"
    );
    execute(store, &insert).await;
    assert_eq!(found(store, ["straße", "strasse"]).await, [1, 0]);
    assert_eq!(rebuild(store, 10).await, [1, 0]);
    assert_eq!(found(store, ["straße", "strasse"]).await, [1, 1]);
}

/// A change need not contain the text that is out of date.
async fn change_of_an_outdated_task_leaves_it_to_be_rebuilt(store: &TestDatabase) {
    let toggle = TaskChange {
        completion: Some(Completion::Toggle),
        ..TaskChange::default()
    };
    let describe = TaskChange {
        description: Some(Description::parse("Größe").expect("a description")),
        ..TaskChange::default()
    };
    try_add(store, &task(1, "Allee")).await.expect("added");
    for (change, texts, before, after) in [
        (&toggle, ["straße", "strasse"], [1, 0], [1, 1]),
        (&describe, ["grösse", "größe"], [0, 1], [1, 1]),
    ] {
        retitle_as_before(store, "Straße", "straße").await;
        let (id, any) = (task(1, "x").id, Precondition::None);
        let changed = try_change(store, &alice(), id, change, &any, at(9)).await;
        assert!(changed.expect("answered").is_some());
        assert_eq!(found(store, texts).await, before);
        assert_eq!(rebuild(store, 10).await, [1, 0]);
        assert_eq!(found(store, texts).await, after);
        let changed = try_change(store, &alice(), id, change, &any, at(9)).await;
        assert!(changed.expect("answered").is_some());
        assert_eq!(rebuild(store, 10).await, [0], "it stays up to date");
    }
}

async fn outdated_tasks_are_rebuilt_in_batches(store: &TestDatabase) {
    for number in 1..=7 {
        try_add(store, &task(number, "x")).await.expect("added");
    }
    retitle_as_before(store, "ﬁn", "ﬁn").await;
    assert_eq!(rebuild(store, 3).await, [3, 3, 1, 0]);
    assert_eq!(found(store, ["FIN"]).await, [7]);
}

async fn migration_rebuilds_the_texts_of_all_tasks(store: &TestDatabase) {
    for number in 1..=3 {
        try_add(store, &task(number, "İzmir")).await.expect("added");
    }
    store
        .repeat_migrations_from("m20261129_000006_search_folding")
        .await;
    assert_eq!(found(store, ["izmir"]).await, [3]);
    assert_eq!(rebuild(store, 10).await, [0]);
}

on_both_stores! {
    task_of_the_version_before_is_found_and_rebuilt
    new_task_of_the_version_before_is_found_and_rebuilt
    change_of_an_outdated_task_leaves_it_to_be_rebuilt
    outdated_tasks_are_rebuilt_in_batches
    migration_rebuilds_the_texts_of_all_tasks
}
