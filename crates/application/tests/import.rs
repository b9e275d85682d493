//! Imports that cannot be verified, and dry runs.

#![expect(clippy::expect_used, reason = "a test states what it expects")]

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;

use async_trait::async_trait;
use taskhold_application::import::{
    ImportError, ImportOptions, Importer, NamedOwners, Row, RowContent, Summary,
};
use taskhold_domain::import::{ConsoleRow, RowInput};
use taskhold_domain::input::{Member, TaskInput};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::import::{ImportOutcome, ImportRepository as _, ImportRun, ImportedRow};
use taskhold_repository::tasks::TaskRepository as _;
use taskhold_repository::users::UserRepository;
use taskhold_testkit::ids::CountedIds;
use taskhold_testkit::memory::MemoryStore;

/// An import that reads back a number of rows of its own.
struct Misread {
    run: Box<dyn ImportRun>,
    found: fn(u64) -> Result<u64, StoreError>,
}

#[async_trait]
impl ImportRun for Misread {
    async fn stage(&mut self, rows: &[ImportedRow]) -> Result<(), StoreError> {
        self.run.stage(rows).await
    }

    async fn import(&mut self, now: Timestamp, again: bool) -> Result<ImportOutcome, StoreError> {
        self.run.import(now, again).await
    }

    async fn verify(&mut self) -> Result<u64, StoreError> {
        (self.found)(self.run.verify().await?)
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.run.commit().await
    }
}

fn alice() -> UserId {
    UserId::parse("alice").expect("an id")
}

fn rows() -> Vec<Row> {
    let row = |(number, title): (i64, &str)| {
        let task = TaskInput {
            title: Member::Given(title.into()),
            ..TaskInput::default()
        };
        let row = ConsoleRow {
            id: Member::Given(number),
            rest: RowInput {
                task,
                ..RowInput::default()
            },
        };
        Row {
            position: number.unsigned_abs(),
            id: Some(number.to_string()),
            content: row
                .into_task()
                .map(|(id, task)| RowContent::Console(id, task)),
        }
    };
    [(1, "one"), (2, "two")].map(row).into()
}

async fn imported(run: Box<dyn ImportRun>, dry_run: bool) -> Result<Summary, ImportError> {
    let options = ImportOptions {
        owner: alice(),
        named_owners: NamedOwners::Named(HashMap::new()),
        again: false,
        to_instant: Box::new(|_| Timestamp::FIRST),
    };
    let ids = Arc::new(CountedIds::default());
    let mut importer = Importer::new(run, ids, options, Timestamp::FIRST);
    assert_eq!(importer.stage(rows()).await?, []);
    let (summary, rejected) = importer.import().await?;
    assert_eq!(rejected, []);
    if !dry_run {
        importer.commit().await?;
    }
    Ok(summary)
}

async fn number_of_tasks(store: &MemoryStore) -> u64 {
    store.count(&alice()).await.expect("counted").total
}

#[tokio::test]
async fn unverified_import_is_not_committed() {
    let store = MemoryStore::default();
    for (found, expected) in [
        (
            (|_| Err(StoreError::Defect("title of row 2 differs".into()))) as fn(u64) -> _,
            "title of row 2 differs",
        ),
        (
            |count| Ok(count - 1),
            "2 rows were imported, and 1 read back",
        ),
        (|_| Ok(0), "2 rows were imported, and 0 read back"),
    ] {
        let run = Box::new(Misread {
            run: store.begin_import().await.expect("begun"),
            found,
        });
        let error = imported(run, false).await.expect_err("not verified");
        let cause = error.source().and_then(|store| store.source());
        assert_eq!(cause.expect("a cause").to_string(), expected);
        assert_eq!(number_of_tasks(&store).await, 0);
    }
    let run = Box::new(Misread {
        run: store.begin_import().await.expect("begun"),
        found: Ok,
    });
    let summary = imported(run, false).await.expect("imported");
    assert_eq!((summary.total.imported, summary.verified), (2, 2));
    assert_eq!(number_of_tasks(&store).await, 2);
}

#[tokio::test]
async fn dry_run_reports_all_and_keeps_nothing() {
    let store = MemoryStore::default();
    let tried = imported(store.begin_import().await.expect("begun"), true)
        .await
        .expect("tried");
    assert_eq!(number_of_tasks(&store).await, 0);
    let known = UserRepository::find(&store, &alice())
        .await
        .expect("answered");
    assert_eq!(known, None);
    let done = imported(store.begin_import().await.expect("begun"), false)
        .await
        .expect("imported");
    assert_eq!(tried, done);
    assert_eq!(number_of_tasks(&store).await, 2);
}
