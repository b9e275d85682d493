//! The streams of changes: when the store is asked, and what they tell. The clock of these tests is paused: a sleep
//! advances it, and waits for nothing.

#![expect(clippy::expect_used, reason = "a test states what it expects")]

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use taskhold_application::actor::Actor;
use taskhold_application::change_log::{CursorError, FeedCursor};
use taskhold_application::change_streams::{
    ChangeStream, ChangeStreams, StreamError, StreamLimits,
};
use taskhold_application::ids::TimeOrderedIds;
use taskhold_application::tasks::{TaskPorts, TaskService};
use taskhold_domain::task::change_log::{ChangeSeq, ChangeStamp, LoggedChange};
use taskhold_domain::task::{Description, Details, Task, TaskDraft, TaskId, Title};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::change_log::{ChangeLogRepository, ChangePage, Feed, UndoOutcome};
use taskhold_repository::error::StoreError;
use taskhold_repository::written::Undo;
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::memory::MemoryStore;
use tokio::time::{Instant, timeout};

/// A log that notes when it is asked, and for how many owners.
#[derive(Default)]
struct Noting {
    store: Arc<MemoryStore>,
    asked: Mutex<Vec<(Instant, usize)>>,
}

impl Noting {
    fn note(&self, owners: usize) {
        let mut asked = self.asked.lock().expect("unpoisoned");
        asked.push((Instant::now(), owners));
    }
}

#[async_trait]
impl ChangeLogRepository for Noting {
    async fn changes(
        &self,
        owner: &UserId,
        after: ChangeSeq,
        limit: u32,
    ) -> Result<ChangePage, StoreError> {
        self.store.changes(owner, after, limit).await
    }

    async fn feeds(&self, owners: &[UserId]) -> Result<Vec<(UserId, Feed)>, StoreError> {
        self.note(owners.len());
        self.store.feeds(owners).await
    }

    async fn history(
        &self,
        owner: &UserId,
        id: TaskId,
    ) -> Result<Option<(Task, Vec<LoggedChange>)>, StoreError> {
        self.store.history(owner, id).await
    }

    async fn undo(
        &self,
        owner: &UserId,
        undo: Undo,
        stamp: &ChangeStamp,
    ) -> Result<UndoOutcome, StoreError> {
        self.store.undo(owner, undo, stamp).await
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        ChangeLogRepository::purge_expired(&*self.store, time, most).await
    }
}

/// Two instances on one store, of which the first has streams.
struct Instances {
    log: Arc<Noting>,
    streams: Arc<ChangeStreams>,
    here: TaskService,
    elsewhere: TaskService,
}

impl Instances {
    fn start() -> Self {
        let log = Arc::new(Noting::default());
        let limits = StreamLimits {
            per_user: NonZeroUsize::new(2).expect("not zero"),
            all: NonZeroUsize::new(3).expect("not zero"),
        };
        let streams = ChangeStreams::new(log.clone(), limits);
        tokio::spawn({
            let streams = Arc::clone(&streams);
            async move { streams.run().await }
        });
        let quota = NonZeroU64::new(1000).expect("not zero");
        let service = |ports| {
            let clock = Arc::new(ManualClock::default());
            TaskService::new(ports, clock, Arc::new(TimeOrderedIds), quota, quota)
        };
        let ports = TaskPorts::of(Arc::clone(&log.store));
        Self {
            here: service(TaskPorts {
                streams: Arc::clone(&streams),
                ..ports.clone()
            }),
            elsewhere: service(ports),
            log,
            streams,
        }
    }

    /// Returns for each time that the store was asked since the last call the seconds since then, and the number of
    /// owners.
    fn asked_since(&self, start: Instant) -> Vec<(u64, usize)> {
        let mut asked = self.log.asked.lock().expect("unpoisoned");
        let asked = std::mem::take(&mut *asked);
        let asked = asked.into_iter();
        asked
            .map(|(at, owners)| ((at - start).as_secs(), owners))
            .collect()
    }
}

fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a user")
}

async fn create(tasks: &TaskService, owner: &UserId) {
    let draft = TaskDraft {
        title: Title::parse("Buy milk").expect("a title"),
        description: Description::default(),
        completed: false,
        details: Details::default(),
    };
    tasks
        .create(&Actor::session(owner.clone()), draft, None)
        .await
        .expect("created");
}

/// Returns the number of the last change that a stream tells of, and after how many seconds it does.
async fn next(stream: &mut ChangeStream) -> (i64, u64) {
    let started = Instant::now();
    let cursor = timeout(Duration::from_mins(1), stream.next()).await;
    let cursor = cursor.expect("told in time").expect("not over");
    assert_eq!(cursor.snapshot, None);
    (cursor.seq.get(), started.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn write_of_this_instance_is_told_at_once() {
    let instances = Instances::start();
    let anna = user("anna");
    let mut stream = instances.streams.open(&anna, None).await.expect("open");
    assert_eq!(next(&mut stream).await, (0, 0));
    for number in 1..=3 {
        create(&instances.here, &anna).await;
        assert_eq!(next(&mut stream).await, (number, 0));
    }
    create(&instances.here, &user("bob")).await;
    assert!(
        timeout(Duration::from_hours(1), stream.next())
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn write_of_another_instance_is_told_within_two_seconds_or_fifteen() {
    let instances = Instances::start();
    let anna = user("anna");
    let mut stream = instances.streams.open(&anna, None).await.expect("open");
    assert_eq!(next(&mut stream).await, (0, 0));
    for number in 1..=70 {
        create(&instances.elsewhere, &anna).await;
        let (last, seconds) = next(&mut stream).await;
        assert_eq!(last, number);
        assert!(seconds < 2, "{seconds}");
    }
    for number in 71..=90_i64 {
        tokio::time::sleep(Duration::from_millis(61_000 + 700 * number.unsigned_abs())).await;
        create(&instances.elsewhere, &anna).await;
        let (last, seconds) = next(&mut stream).await;
        assert_eq!(last, number);
        assert!(seconds < 15, "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn store_is_asked_only_while_streams_are_open_and_seldom_for_idle_owners() {
    let instances = Instances::start();
    let start = Instant::now();
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(instances.asked_since(start), []);

    let opened = Instant::now();
    let (anna, bob) = (user("anna"), user("bob"));
    let first = instances.streams.open(&anna, None).await.expect("open");
    let second = instances.streams.open(&bob, None).await.expect("open");
    tokio::time::sleep(Duration::from_mins(10)).await;
    let asked = instances.asked_since(opened);
    let (busy, idle): (Vec<_>, Vec<_>) = asked.into_iter().partition(|(at, _)| *at <= 60);
    assert!((58..=65).contains(&busy.len()), "{busy:?}");
    assert!((36..=45).contains(&idle.len()), "{idle:?}");
    assert!(
        idle.iter().all(|(_, owners)| *owners == 2),
        "one statement for all"
    );

    drop((first, second));
    let closed = Instant::now();
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(instances.asked_since(closed), []);
}

#[tokio::test(start_paused = true)]
async fn streams_are_limited_until_they_are_dropped() {
    let instances = Instances::start();
    let (anna, bob) = (user("anna"), user("bob"));
    let open = async |owner| instances.streams.open(owner, None).await;
    let first = open(&anna).await.expect("open");
    let _second = open(&anna).await.expect("open");
    assert!(matches!(
        open(&anna).await,
        Err(StreamError::TooManyOfUser(_))
    ));
    let _third = open(&bob).await.expect("open");
    assert!(matches!(open(&bob).await, Err(StreamError::TooMany(_))));
    drop(first);
    let _fourth = open(&anna).await.expect("open");
}

#[tokio::test(start_paused = true)]
async fn draining_ends_open_and_later_streams() {
    let instances = Instances::start();
    let anna = user("anna");
    let mut stream = instances.streams.open(&anna, None).await.expect("open");
    assert_eq!(next(&mut stream).await, (0, 0));
    instances.streams.drain();
    assert_eq!(stream.next().await, None);
    let mut later = instances.streams.open(&anna, None).await.expect("open");
    assert_eq!(later.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn cursor_of_changes_that_are_not_kept_opens_no_stream() {
    let instances = Instances::start();
    let anna = user("anna");
    let cursor = |epoch, seq| FeedCursor {
        epoch,
        seq: ChangeSeq::parse(seq).expect("a number"),
        snapshot: None,
    };
    let open = async |cursor| match instances.streams.open(&anna, Some(&cursor)).await {
        Ok(_) => None,
        Err(StreamError::Cursor(error)) => Some(error),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(open(cursor(0, 0)).await, None, "before the first change");
    for _ in 0..3 {
        create(&instances.here, &anna).await;
    }
    let feeds = instances.log.feeds(std::slice::from_ref(&anna)).await;
    let epoch = feeds.expect("answered")[0].1.epoch;
    for (cursor, expected) in [
        (cursor(0, 0), None),
        (cursor(epoch, 0), None),
        (cursor(epoch, 3), None),
        (cursor(epoch, 4), Some(CursorError::Unknown)),
        (cursor(epoch + 1, 2), Some(CursorError::Expired)),
    ] {
        assert_eq!(open(cursor.clone()).await, expected, "{cursor:?}");
    }
    let all = ChangeLogRepository::purge_expired(&*instances.log, Timestamp::LAST, 2).await;
    assert_eq!(all.expect("purged"), 2);
    for (cursor, expected) in [
        (cursor(0, 0), Some(CursorError::Expired)),
        (cursor(epoch, 1), Some(CursorError::Expired)),
        (cursor(epoch, 2), None),
    ] {
        assert_eq!(open(cursor.clone()).await, expected, "{cursor:?}");
    }
}
