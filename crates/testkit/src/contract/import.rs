//! The obligations of imports.

#![expect(
    clippy::indexing_slicing,
    reason = "what is made here has so many elements"
)]

use futures_util::future::join_all;
use taskhold_domain::import::{ConsoleId, ParsedTime};
use taskhold_domain::task::{Completion, Task, TaskChange, Version};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::import::{Counts, ImportOutcome, ImportRun, ImportedRow, RowIdentity};
use taskhold_repository::tasks::Precondition;

use super::{
    Ports, all, at, created_at, description, found, id, kept, removed, task, title, user, user_of,
};

/// A row of the console, of the number and the owner of its task, which was created when it says.
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

/// A row that keeps its id.
fn kept_row(position: u64, task: Task) -> ImportedRow {
    ImportedRow {
        position,
        identity: RowIdentity::Native,
        task,
    }
}

/// Three of alice and one of bob, as every reading of one file makes them: with ids of its own.
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

/// What becomes of an owner's rows: imported, already there, deleted since, duplicates.
fn outcome(owner: &str, counts: [u64; 4]) -> (UserId, Counts) {
    let [imported, already_there, deleted_since, duplicates] = counts;
    let counts = Counts {
        imported,
        already_there,
        deleted_since,
        duplicates,
    };
    (user(owner), counts)
}

/// Sets the rows aside and makes tasks of them, which nobody else sees yet.
async fn begun(store: &Ports, rows: &[ImportedRow]) -> (Box<dyn ImportRun>, ImportOutcome, u64) {
    let mut run = store.imports.begin_import().await.expect("begun");
    run.stage(rows).await.expect("set aside");
    let outcome = run.import(at(0)).await.expect("imported");
    let verified = run.verify().await.expect("verified");
    (run, outcome, verified)
}

async fn imported(store: &Ports, rows: &[ImportedRow]) -> ImportOutcome {
    let (run, outcome, verified) = begun(store, rows).await;
    run.commit().await.expect("committed");
    let imported: u64 = outcome.owners.values().map(|counts| counts.imported).sum();
    assert_eq!(verified, imported, "what is imported is read back");
    outcome
}

/// Nobody sees a part of it.
pub async fn an_import_happens_at_once_or_never(store: &Ports) {
    let rows = file(10);
    for is_done in [false, true] {
        let mut run = store.imports.begin_import().await.expect("begun");
        let (first, second) = rows.split_at(2);
        run.stage(first).await.expect("set aside");
        run.stage(second).await.expect("set aside");
        run.import(at(0)).await.expect("imported");
        assert_eq!(run.verify().await.expect("verified"), 4);
        for owner in ["alice", "bob"] {
            assert_eq!(all(store, &user(owner)).await, []);
            assert_eq!(user_of(store, owner).await, None);
        }
        if is_done {
            run.commit().await.expect("committed");
        }
    }
    for owner in ["alice", "bob"] {
        assert_eq!(all(store, &user(owner)).await, tasks_of(&rows, owner));
        let known = user_of(store, owner).await.expect("known by now");
        assert_eq!(known.created_at, at(0));
    }
}

/// Nor does one of nothing.
pub async fn an_import_that_is_given_up_leaves_nothing(store: &Ports) {
    let mut run = store.imports.begin_import().await.expect("begun");
    run.stage(&file(10)).await.expect("set aside");
    drop(run);
    assert_eq!(all(store, &user("alice")).await, []);
    assert_eq!(imported(store, &[]).await, ImportOutcome::default());
    assert_eq!(user_of(store, "alice").await, None);
}

/// What it was imported as is there once, whatever ids a second reading of the file gives.
pub async fn an_import_made_again_changes_nothing(store: &Ports) {
    let first = file(10);
    let outcome_of_first = imported(store, &first).await;
    let expected = [outcome("alice", [3, 0, 0, 0]), outcome("bob", [1, 0, 0, 0])];
    assert_eq!(outcome_of_first.owners, expected.into());
    for first_id in [10, 20] {
        let outcome_of_second = imported(store, &file(first_id)).await;
        let expected = [outcome("alice", [0, 3, 0, 0]), outcome("bob", [0, 1, 0, 0])];
        assert_eq!(outcome_of_second.owners, expected.into());
        assert_eq!(outcome_of_second.taken, []);
        assert_eq!(all(store, &user("alice")).await, tasks_of(&first, "alice"));
    }
}

/// It is not what the file says any more, and still the same task.
pub async fn what_was_edited_since_stays_so(store: &Ports) {
    let rows = file(10);
    imported(store, &rows).await;
    let change = TaskChange {
        title: Some(title("edited")),
        completion: Some(Completion::Toggle),
        ..TaskChange::default()
    };
    let edited = store
        .tasks
        .change(
            &user("bob"),
            rows[1].task.id,
            &change,
            &Precondition::None,
            at(100),
        )
        .await;
    let edited = edited.expect("answered").expect("there");
    let again = imported(store, &file(20)).await;
    assert_eq!(again.owners[&user("bob")], outcome("bob", [0, 1, 0, 0]).1);
    assert_eq!(all(store, &user("bob")).await, [edited]);
}

/// Whether its row keeps its id or not.
pub async fn what_was_deleted_since_stays_away(store: &Ports) {
    let alice = user("alice");
    let rows = |first_id| [file(first_id), vec![kept_row(5, task("alice", 5))]].concat();
    let first = rows(10);
    imported(store, &first).await;
    for gone in [&first[0], &first[4]] {
        let removed = store
            .tasks
            .remove(&alice, gone.task.id, &Precondition::None);
        assert!(removed.await.expect("answered"));
    }
    for first_id in [20, 30] {
        let again = imported(store, &rows(first_id)).await;
        let expected = [outcome("alice", [0, 2, 2, 0]), outcome("bob", [0, 1, 0, 0])];
        assert_eq!(again.owners, expected.into());
        let left = [first[3].task.clone(), first[2].task.clone()];
        assert_eq!(all(store, &alice).await, left);
    }
}

/// However far apart they are set aside.
pub async fn of_rows_that_are_one_the_last_counts(store: &Ports) {
    let titled = |owner: &str, number, text: &str| Task {
        title: title(text),
        ..task(owner, number)
    };
    let rows = [
        row(1, 7, titled("alice", 1, "first")),
        row(2, 7, titled("bob", 2, "of another")),
        kept_row(3, titled("alice", 3, "first that is kept")),
        // It was created at another time: in a file that makes no difference.
        row(4, 7, created_at(titled("alice", 4, "second"), 9)),
        kept_row(5, titled("alice", 3, "second that is kept")),
        row(6, 7, titled("alice", 6, "third")),
    ];
    let mut run = store.imports.begin_import().await.expect("begun");
    for part in rows.chunks(1) {
        run.stage(part).await.expect("set aside");
    }
    let made = run.import(at(0)).await.expect("imported");
    assert_eq!(run.verify().await.expect("verified"), 3);
    run.commit().await.expect("committed");
    let expected = [outcome("alice", [2, 0, 0, 3]), outcome("bob", [1, 0, 0, 0])];
    assert_eq!(made.owners, expected.into());
    let kept = [rows[5].task.clone(), rows[4].task.clone()];
    assert_eq!(all(store, &user("alice")).await, kept);
    assert_eq!(all(store, &user("bob")).await, [rows[1].task.clone()]);
}

/// Their numbers are not enough: the console gives them again. And what was imported for one user is
/// not there for another.
pub async fn a_row_is_known_by_its_owners_number_and_time(store: &Ports) {
    let first = row(1, 7, task("alice", 1));
    let others = [
        row(1, 8, task("alice", 2)),
        row(1, 7, created_at(task("alice", 3), 1)),
        row(1, 7, task("bob", 4)),
        // For another user here.
        ImportedRow {
            task: task("bob", 5),
            ..first.clone()
        },
        // Of another owner there.
        ImportedRow {
            task: task("alice", 6),
            ..row(1, 7, task("carol", 6))
        },
        // Of no time, which is none of them.
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
        let made = imported(store, std::slice::from_ref(row)).await;
        assert_eq!(
            made.owners,
            [outcome(owner, [1, 0, 0, 0])].into(),
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
        let made = imported(store, &[again]).await;
        assert_eq!(
            made.owners,
            [outcome(owner, [0, 1, 0, 0])].into(),
            "{row:?}"
        );
    }
}

/// Nobody's task is overwritten or given away, and the other rows are imported.
pub async fn an_id_that_another_user_has_is_taken(store: &Ports) {
    let hers = kept(store, task("alice", 1)).await;
    let rows = [
        kept_row(1, task("bob", 2)),
        kept_row(2, task("bob", 1)),
        kept_row(3, task("bob", 3)),
    ];
    for (imports, already_there) in [(2, 0), (0, 2)] {
        let made = imported(store, &rows).await;
        let expected = [outcome("bob", [imports, already_there, 0, 0])];
        assert_eq!(made.owners, expected.into());
        assert_eq!(made.taken, [(2, hers.id)]);
    }
    assert_eq!(found(store, &hers).await, Some(hers));
    assert_eq!(all(store, &user("bob")).await.len(), 2);
    // It was there before it was in a file.
    let made = imported(store, &[kept_row(1, task("alice", 1))]).await;
    assert_eq!(made.owners, [outcome("alice", [0, 1, 0, 0])].into());
}

/// To the letter and the microsecond, whatever the texts hold, and a search finds it.
pub async fn every_field_is_kept(store: &Ports) {
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
    let rows: Vec<_> = (1..)
        .zip(&expected)
        .map(|(position, task)| kept_row(position, task.clone()))
        .collect();
    imported(store, &rows).await;
    expected.reverse();
    assert_eq!(all(store, &user("ÿ\t\\")).await, expected);
}

/// Of several imports of one file at once, each task is made by one of them.
pub async fn imports_at_once_make_each_task_once(store: &Ports) {
    let outcomes = join_all((1..=4).map(|import| async move {
        let rows = file(import * 10);
        imported(store, &rows).await
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
    assert_eq!(all(store, &user("alice")).await.len(), 3);
    assert_eq!(all(store, &user("bob")).await.len(), 1);
}

/// With the user goes what was remembered of them, and of nobody else.
pub async fn removing_a_user_forgets_what_was_imported(store: &Ports) {
    imported(store, &file(10)).await;
    assert!(removed(store, "alice").await);
    let again = file(20);
    let made = imported(store, &again).await;
    let expected = [outcome("alice", [3, 0, 0, 0]), outcome("bob", [0, 1, 0, 0])];
    assert_eq!(made.owners, expected.into());
    assert_eq!(all(store, &user("alice")).await, tasks_of(&again, "alice"));
}
