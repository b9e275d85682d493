//! The obligations of imports.

#![expect(clippy::indexing_slicing, reason = "the lengths are known")]

use futures_util::future::join_all;
use taskhold_domain::import::{ConsoleId, ParsedTime};
use taskhold_domain::task::{Completion, Position, Task, TaskChange, Version};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::import::{Counts, ImportOutcome, ImportRun, ImportedRow, RowIdentity};
use taskhold_repository::tasks::Precondition;

use super::Ports;
use super::fixtures::{
    add_task, at, created_at, description, find_task, find_user, id, list_tasks, remove_user,
    some_details, task, title, try_change, try_remove, user,
};

/// Returns a console row with the number, owner and creation time of its task.
fn row(position: u64, number: i64, task: Task) -> ImportedRow {
    let identity = RowIdentity::Console {
        owner: task.owner.clone(),
        id: ConsoleId::parse(number).expect("a number"),
        created_at: Some(ParsedTime::Instant(task.created_at)),
    };
    ImportedRow {
        position,
        identity,
        task,
    }
}

/// Returns a row that keeps its id.
fn native_row(position: u64, task: Task) -> ImportedRow {
    ImportedRow {
        position,
        identity: RowIdentity::Native,
        task,
    }
}

/// Returns three rows of alice and one of bob, with new ids as each reading of a file assigns them.
fn file(first_id: u128) -> Vec<ImportedRow> {
    let owners = ["alice", "bob", "alice", "alice"];
    (1..)
        .zip(owners)
        .map(|(position, owner)| {
            let number = i64::try_from(position).expect("a number");
            let task = task(owner, first_id + u128::from(position));
            row(position, number, created_at(task, number))
        })
        .collect()
}

fn tasks_of(rows: &[ImportedRow], owner: &str) -> Vec<Task> {
    let newest_first = rows.iter().rev().map(|row| row.task.clone());
    newest_first
        .filter(|task| task.owner.as_str() == owner)
        .collect()
}

/// Returns an owner's counts: imported, already there, deleted since, duplicates.
fn counts_of(owner: &str, counts: [u64; 4]) -> (UserId, Counts) {
    let [imported, already_there, deleted_since, duplicates] = counts;
    let counts = Counts {
        imported,
        already_there,
        deleted_since,
        duplicates,
    };
    (user(owner), counts)
}

/// Stages the rows and imports them without committing.
async fn stage_and_import(
    store: &Ports,
    rows: &[ImportedRow],
    again: bool,
) -> (Box<dyn ImportRun>, ImportOutcome, u64) {
    let mut run = store.imports.begin_import().await.expect("begun");
    run.stage(rows).await.expect("set aside");
    let outcome = run.import(at(0), again).await.expect("imported");
    let verified = run.verify().await.expect("verified");
    (run, outcome, verified)
}

async fn run_import(store: &Ports, rows: &[ImportedRow]) -> ImportOutcome {
    import_and_commit(store, rows, false).await
}

async fn import_and_commit(store: &Ports, rows: &[ImportedRow], again: bool) -> ImportOutcome {
    let (run, outcome, verified) = stage_and_import(store, rows, again).await;
    run.commit().await.expect("committed");
    let imported: u64 = outcome.owners.values().map(|counts| counts.imported).sum();
    assert_eq!(verified, imported, "what is imported is read back");
    outcome
}

/// Checks that no part of an import is visible before its commit.
pub async fn import_is_atomic(store: &Ports) {
    let rows = file(10);
    for is_done in [false, true] {
        let mut run = store.imports.begin_import().await.expect("begun");
        let (first, second) = rows.split_at(2);
        run.stage(first).await.expect("set aside");
        run.stage(second).await.expect("set aside");
        run.import(at(0), false).await.expect("imported");
        assert_eq!(run.verify().await.expect("verified"), 4);
        for owner in ["alice", "bob"] {
            assert_eq!(list_tasks(store, &user(owner)).await, []);
            assert_eq!(find_user(store, owner).await, None);
        }
        if is_done {
            run.commit().await.expect("committed");
        }
    }
    for owner in ["alice", "bob"] {
        assert_eq!(
            list_tasks(store, &user(owner)).await,
            tasks_of(&rows, owner)
        );
        let known = find_user(store, owner).await.expect("known by now");
        assert_eq!(known.created_at, at(0));
    }
}

/// Checks that an empty import leaves nothing either.
pub async fn abandoned_import_leaves_nothing(store: &Ports) {
    let mut run = store.imports.begin_import().await.expect("begun");
    run.stage(&file(10)).await.expect("set aside");
    drop(run);
    assert_eq!(list_tasks(store, &user("alice")).await, []);
    assert_eq!(run_import(store, &[]).await, ImportOutcome::default());
    assert_eq!(find_user(store, "alice").await, None);
}

/// Checks that each task is imported once, whatever ids a second reading assigns.
pub async fn repeated_import_changes_nothing(store: &Ports) {
    let first = file(10);
    let outcome_of_first = run_import(store, &first).await;
    let expected = [
        counts_of("alice", [3, 0, 0, 0]),
        counts_of("bob", [1, 0, 0, 0]),
    ];
    assert_eq!(outcome_of_first.owners, expected.into());
    for first_id in [10, 20] {
        let outcome_of_second = run_import(store, &file(first_id)).await;
        let expected = [
            counts_of("alice", [0, 3, 0, 0]),
            counts_of("bob", [0, 1, 0, 0]),
        ];
        assert_eq!(outcome_of_second.owners, expected.into());
        assert_eq!(outcome_of_second.taken, []);
        assert_eq!(
            list_tasks(store, &user("alice")).await,
            tasks_of(&first, "alice")
        );
    }
}

/// Checks that an edited task is still recognised as the imported one.
pub async fn repeated_import_keeps_later_edits(store: &Ports) {
    let rows = file(10);
    run_import(store, &rows).await;
    let change = TaskChange {
        title: Some(title("edited")),
        completion: Some(Completion::Toggle),
        ..TaskChange::default()
    };
    let edited = try_change(
        store,
        &user("bob"),
        rows[1].task.id,
        &change,
        &Precondition::None,
        at(100),
    )
    .await;
    let edited = edited.expect("answered").expect("there");
    let again = run_import(store, &file(20)).await;
    assert_eq!(again.owners[&user("bob")], counts_of("bob", [0, 1, 0, 0]).1);
    assert_eq!(list_tasks(store, &user("bob")).await, [edited]);
}

/// Checks rows with and without ids of their own.
pub async fn repeated_import_does_not_restore_deleted_tasks(store: &Ports) {
    let alice = user("alice");
    let rows = |first_id| [file(first_id), vec![native_row(5, task("alice", 5))]].concat();
    let first = rows(10);
    run_import(store, &first).await;
    for deleted in [&first[0], &first[4]] {
        let removed = try_remove(store, &alice, deleted.task.id, &Precondition::None);
        assert!(removed.await.expect("answered"));
    }
    for first_id in [20, 30] {
        let again = run_import(store, &rows(first_id)).await;
        let expected = [
            counts_of("alice", [0, 2, 2, 0]),
            counts_of("bob", [0, 1, 0, 0]),
        ];
        assert_eq!(again.owners, expected.into());
        let left = [first[3].task.clone(), first[2].task.clone()];
        assert_eq!(list_tasks(store, &alice).await, left);
    }
}

/// Checks that deleted tasks come back once, and that a plain import then recognizes them.
pub async fn import_again_restores_deleted_tasks_once(store: &Ports) {
    let alice = user("alice");
    let rows = |first_id| [file(first_id), vec![native_row(5, task("alice", 5))]].concat();
    let first = rows(10);
    run_import(store, &first).await;
    for round in [20, 40] {
        for deleted in list_tasks(store, &alice).await {
            let removed = try_remove(store, &alice, deleted.id, &Precondition::None);
            assert!(removed.await.expect("answered"));
        }
        for (first_id, again, [imported, there]) in [
            (round, true, [4, 0]),
            (round + 10, true, [0, 4]),
            (round + 20, false, [0, 4]),
        ] {
            let outcome = import_and_commit(store, &rows(first_id), again).await;
            let expected = [
                counts_of("alice", [imported, there, 0, 0]),
                counts_of("bob", [0, 1, 0, 0]),
            ];
            assert_eq!(outcome.owners, expected.into());
            let mut tasks = list_tasks(store, &alice).await;
            tasks.sort_by_key(|task| task.id);
            let mut expected = tasks_of(&rows(round), "alice");
            expected.sort_by_key(|task| task.id);
            assert_eq!(tasks, expected);
        }
    }
}

/// Checks that an import names the owners that it creates.
pub async fn import_names_new_owners(store: &Ports) {
    run_import(store, &file(10)[..1]).await;
    let outcome = run_import(store, &file(20)).await;
    assert_eq!(outcome.created, [user("bob")].into());
    assert_eq!(run_import(store, &file(30)).await.created, [].into());
}

/// Checks rows that are staged separately.
pub async fn last_of_duplicate_rows_wins(store: &Ports) {
    let titled = |owner: &str, number, text: &str| Task {
        title: title(text),
        completed: true,
        completed_at: Some(at(7)),
        details: some_details(),
        ..task(owner, number)
    };
    let rows = [
        row(1, 7, titled("alice", 1, "first")),
        row(2, 7, titled("bob", 2, "of another")),
        native_row(3, titled("alice", 3, "first that is kept")),
        // Within one file, the creation time does not distinguish rows.
        row(4, 7, created_at(titled("alice", 4, "second"), 9)),
        native_row(5, titled("alice", 3, "second that is kept")),
        row(6, 7, titled("alice", 6, "third")),
    ];
    let mut run = store.imports.begin_import().await.expect("begun");
    for part in rows.chunks(1) {
        run.stage(part).await.expect("set aside");
    }
    let outcome = run.import(at(0), false).await.expect("imported");
    assert_eq!(run.verify().await.expect("verified"), 3);
    run.commit().await.expect("committed");
    let expected = [
        counts_of("alice", [2, 0, 0, 3]),
        counts_of("bob", [1, 0, 0, 0]),
    ];
    assert_eq!(outcome.owners, expected.into());
    let expected_tasks = [rows[5].task.clone(), rows[4].task.clone()];
    assert_eq!(list_tasks(store, &user("alice")).await, expected_tasks);
    assert_eq!(
        list_tasks(store, &user("bob")).await,
        [rows[1].task.clone()]
    );
}

/// Checks that the number alone does not identify a row, because the console reuses numbers, and
/// that an import for one user does not count for another.
pub async fn row_is_identified_by_owner_number_and_time(store: &Ports) {
    let first = row(1, 7, task("alice", 1));
    let others = [
        row(1, 8, task("alice", 2)),
        row(1, 7, created_at(task("alice", 3), 1)),
        row(1, 7, task("bob", 4)),
        // Imported for another user of the service.
        ImportedRow {
            task: task("bob", 5),
            ..first.clone()
        },
        // Owned by another user of the console.
        ImportedRow {
            task: task("alice", 6),
            ..row(1, 7, task("carol", 6))
        },
        // Without a creation time, which equals none of the above.
        ImportedRow {
            identity: RowIdentity::Console {
                owner: user("alice"),
                id: ConsoleId::parse(7).expect("a number"),
                created_at: None,
            },
            ..row(1, 7, task("alice", 7))
        },
    ];
    for row in [&first].into_iter().chain(&others) {
        let owner = row.task.owner.as_str();
        let outcome = run_import(store, std::slice::from_ref(row)).await;
        assert_eq!(
            outcome.owners,
            [counts_of(owner, [1, 0, 0, 0])].into(),
            "{row:?}"
        );
    }
    for row in [&first].into_iter().chain(&others) {
        let owner = row.task.owner.as_str();
        let again = ImportedRow {
            task: Task {
                id: id(100),
                ..row.task.clone()
            },
            ..row.clone()
        };
        let outcome = run_import(store, &[again]).await;
        assert_eq!(
            outcome.owners,
            [counts_of(owner, [0, 1, 0, 0])].into(),
            "{row:?}"
        );
    }
}

/// Checks that another user's task is neither overwritten nor transferred, and that the other rows
/// are imported.
pub async fn id_of_another_users_task_is_reported_as_taken(store: &Ports) {
    let hers = add_task(store, task("alice", 1)).await;
    let rows = [
        native_row(1, task("bob", 2)),
        native_row(2, task("bob", 1)),
        native_row(3, task("bob", 3)),
    ];
    for (imports, already_there) in [(2, 0), (0, 2)] {
        let outcome = run_import(store, &rows).await;
        let expected = [counts_of("bob", [imports, already_there, 0, 0])];
        assert_eq!(outcome.owners, expected.into());
        assert_eq!(outcome.taken, [(2, hers.id)]);
    }
    assert_eq!(find_task(store, &hers).await, Some(hers));
    assert_eq!(list_tasks(store, &user("bob")).await.len(), 2);
    // The task existed before the import.
    let outcome = run_import(store, &[native_row(1, task("alice", 1))]).await;
    assert_eq!(outcome.owners, [counts_of("alice", [0, 1, 0, 0])].into());
}

/// Checks that every field is stored exactly, whatever characters it holds.
pub async fn every_field_is_imported_unchanged(store: &Ports) {
    let texts = [
        "\t\\N \\. \r\n \u{1}\u{7f}",
        "'\"; -- $1 ?",
        " ",
        "é \u{301}\u{10ffff}\u{feff}\u{2028}",
    ];
    let mut expected: Vec<_> = (1..)
        .zip(texts)
        .map(|(number, text)| Task {
            title: title(text),
            description: description(text),
            completed: number % 2 == 0,
            version: Version::parse(i64::MAX).expect("a version"),
            updated_at: Timestamp::LAST,
            ..created_at(task("ÿ\t\\", number), i64::try_from(number).expect("small"))
        })
        .collect();
    expected[0].created_at = Timestamp::FIRST;
    // The others were moved.
    expected[1].position = Position::of_creation(expected[1].created_at);
    expected[2].position = Position::parse("V".repeat(Position::MAX_LENGTH)).expect("a position");
    let rows: Vec<_> = (1..)
        .zip(&expected)
        .map(|(position, task)| native_row(position, task.clone()))
        .collect();
    run_import(store, &rows).await;
    expected.reverse();
    assert_eq!(list_tasks(store, &user("ÿ\t\\")).await, expected);
}

/// Checks that only one of several concurrent imports of a file creates each task.
pub async fn concurrent_imports_create_each_task_once(store: &Ports) {
    let outcomes = join_all((1..=4).map(|import| async move {
        let rows = file(import * 10);
        run_import(store, &rows).await
    }))
    .await;
    for (owner, rows) in [("alice", 3), ("bob", 1)] {
        let counts = |outcome: &ImportOutcome| {
            let counts = &outcome.owners[&user(owner)];
            (counts.imported, counts.already_there)
        };
        let mut counts: Vec<_> = outcomes.iter().map(counts).collect();
        counts.sort_unstable();
        assert_eq!(counts, [(0, rows), (0, rows), (0, rows), (rows, 0)]);
    }
    assert_eq!(list_tasks(store, &user("alice")).await.len(), 3);
    assert_eq!(list_tasks(store, &user("bob")).await.len(), 1);
}

/// Checks that the records of other users stay.
pub async fn removing_a_user_removes_their_import_records(store: &Ports) {
    run_import(store, &file(10)).await;
    assert!(remove_user(store, "alice").await);
    let again = file(20);
    let outcome = run_import(store, &again).await;
    let expected = [
        counts_of("alice", [3, 0, 0, 0]),
        counts_of("bob", [0, 1, 0, 0]),
    ];
    assert_eq!(outcome.owners, expected.into());
    assert_eq!(
        list_tasks(store, &user("alice")).await,
        tasks_of(&again, "alice")
    );
}
