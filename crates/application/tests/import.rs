//! An import that cannot be verified, or must not last.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;

use async_trait::async_trait;
use taskhold_application::exchange::{Kind, Row, Rows};
use taskhold_application::import::{Choices, ImportError, Importer, Summary};
use taskhold_application::zone::Zone;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::import::{ImportOutcome, ImportRepository as _, ImportRun, ImportedRow};
use taskhold_repository::tasks::TaskRepository as _;
use taskhold_repository::users::UserRepository;
use taskhold_testkit::ids::CountedIds;
use taskhold_testkit::memory::MemoryStore;

/// An import that reads back something else than was imported.
struct Misread {
    run: Box<dyn ImportRun>,
    found: fn(u64) -> Result<u64, StoreError>,
}

#[async_trait]
impl ImportRun for Misread {
    async fn stage(&mut self, rows: &[ImportedRow]) -> Result<(), StoreError> {
        self.run.stage(rows).await
    }

    async fn import(&mut self, now: Timestamp) -> Result<ImportOutcome, StoreError> {
        self.run.import(now).await
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
    let file = br#"[{"id": 1, "title": "one"}, {"id": 2, "title": "two"}]"#;
    let rows = Rows::of(file.as_slice(), Some(Kind::Console)).expect("a file");
    rows.collect::<Result<_, _>>().expect("rows")
}

async fn imported(run: Box<dyn ImportRun>, rehearsal: bool) -> Result<Summary, ImportError> {
    let choices = Choices {
        owner: alice(),
        owners: HashMap::new(),
        zone: Zone::UTC,
    };
    let ids = Arc::new(CountedIds::default());
    let mut importer = Importer::new(run, ids, choices, Timestamp::FIRST);
    assert_eq!(importer.take(rows()).await?, []);
    importer.finish(rehearsal, |_| ()).await
}

async fn number_of_tasks(store: &MemoryStore) -> u64 {
    store.count(&alice()).await.expect("counted").total
}

#[tokio::test]
async fn what_was_not_read_back_is_not_kept() {
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
async fn a_rehearsal_tells_all_and_keeps_nothing() {
    let store = MemoryStore::default();
    let rehearsed = imported(store.begin_import().await.expect("begun"), true)
        .await
        .expect("rehearsed");
    assert_eq!(number_of_tasks(&store).await, 0);
    let known = UserRepository::find(&store, &alice())
        .await
        .expect("answered");
    assert_eq!(known, None);
    let done = imported(store.begin_import().await.expect("begun"), false)
        .await
        .expect("imported");
    assert_eq!(rehearsed, done);
    assert_eq!(number_of_tasks(&store).await, 2);
}
