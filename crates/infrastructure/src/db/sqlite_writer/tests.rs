use futures_util::TryFutureExt as _;
use sea_orm::{ConnectionTrait as _, RuntimeErr};

use super::*;

impl SqliteWriter {
    /// Executes a write that no timeout cancels.
    async fn run<T, Fut>(
        &self,
        write: impl FnOnce(Connection) -> Fut + Send + 'static,
    ) -> Result<T, AttemptError>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<TransactionOutcome<T>, DbErr>> + Send + 'static,
    {
        let write: Write =
            Box::new(|connection| write(connection).map_ok(TransactionOutcome::erase).boxed());
        let answer = self.write(CancelToken::default(), write).await?;
        Ok(*answer.downcast().expect("the type of the write"))
    }
}

async fn writer(folder: &tempfile::TempDir, writes_per_commit: usize) -> SqliteWriter {
    let options = crate::db::sqlite::options(&folder.path().join("taskhold.db"));
    let options = options.create_if_missing(true);
    let writes_per_commit = NonZeroUsize::new(writes_per_commit).expect("not zero");
    let writer = SqliteWriter::start(options, writes_per_commit)
        .await
        .expect("started");
    let made = writer.run(async |connection| {
        let table = "CREATE TABLE rows (number integer)";
        connection.execute_unprepared(table).await?;
        Ok(TransactionOutcome::Commit(()))
    });
    made.await.expect("made");
    writer
}

#[tokio::test]
async fn writes_that_share_a_transaction_are_independent() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = Arc::new(writer(&folder, 64).await);
    // The writes below wait until the first one ends, so they share the next transaction.
    let (end, ended) = oneshot::channel::<()>();
    let (tell, is_held) = oneshot::channel::<()>();
    let first = {
        let writer = Arc::clone(&writer);
        tokio::spawn(async move {
            let held = writer.run(async move |_| {
                _ = tell.send(());
                _ = ended.await;
                Ok(TransactionOutcome::Commit(()))
            });
            held.await.expect("held");
        })
    };
    is_held.await.expect("held");

    let run = async |sql: &'static str, outcome_of: fn(u64) -> TransactionOutcome<u64>| {
        let ran = writer.run(async move |connection| {
            let ran = connection.execute_unprepared(sql).await?;
            Ok(outcome_of(ran.rows_affected()))
        });
        ran.await.map_err(|error| error.failure)
    };
    let idle = async |outcome: fn() -> Result<TransactionOutcome<u64>, DbErr>| {
        let ran = writer.run(async move |_| outcome());
        ran.await.map_err(|error| error.failure)
    };
    let outcomes = futures_util::future::join_all([
        run(
            "INSERT INTO rows VALUES (1), (2)",
            TransactionOutcome::Commit,
        )
        .boxed_local(),
        idle(|| Ok(TransactionOutcome::Commit(0))).boxed_local(),
        run(
            "DELETE FROM rows WHERE number = 9",
            TransactionOutcome::Commit,
        )
        .boxed_local(),
        idle(|| Ok(TransactionOutcome::Rollback(0))).boxed_local(),
        run("INSERT INTO rows VALUES (3)", TransactionOutcome::Rollback).boxed_local(),
        idle(|| Err(DbErr::Custom("meant".into()))).boxed_local(),
        run("INSERT INTO nothing VALUES (4)", TransactionOutcome::Commit).boxed_local(),
        run("INSERT INTO rows VALUES (5)", TransactionOutcome::Commit).boxed_local(),
        run(
            "DELETE FROM rows WHERE number = 2",
            TransactionOutcome::Commit,
        )
        .boxed_local(),
        idle(|| Err(DbErr::Custom("meant".into()))).boxed_local(),
    ]);
    let (outcomes, ()) = tokio::join!(outcomes, async {
        _ = end.send(());
    });
    first.await.expect("held");
    let permanent = Err(Failure::Permanent);
    assert_eq!(
        outcomes,
        [
            Ok(2),
            Ok(0),
            Ok(0),
            Ok(0),
            Ok(1),
            permanent,
            permanent,
            Ok(1),
            Ok(1),
            permanent
        ]
    );

    let left = run(
        "DELETE FROM rows WHERE number IN (1, 5)",
        TransactionOutcome::Rollback,
    )
    .await;
    assert_eq!(left, Ok(2));
    assert_eq!(
        run("DELETE FROM rows", TransactionOutcome::Rollback).await,
        Ok(2)
    );
}

#[tokio::test]
async fn error_before_the_commit_rolls_the_write_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = writer(&folder, 1).await;

    for lost in [
        || sqlx::Error::WorkerCrashed,
        || sqlx::Error::Io(std::io::ErrorKind::BrokenPipe.into()),
    ] {
        let written = writer.run(async move |connection| {
            let insert = "INSERT INTO rows VALUES (1)";
            connection.execute_unprepared(insert).await?;
            let cause = RuntimeErr::SqlxError(lost().into());
            Err::<TransactionOutcome<()>, _>(DbErr::Exec(cause))
        });
        let error = written.await.expect_err("an error");
        assert_eq!(error.failure, Failure::RolledBack);
    }

    let found = writer.run(async |connection| {
        let delete = "DELETE FROM rows";
        let deleted = connection.execute_unprepared(delete).await?;
        Ok(TransactionOutcome::Commit(deleted.rows_affected()))
    });
    assert_eq!(found.await.expect("counted"), 0);
}

#[tokio::test]
async fn panicking_write_leaves_the_writer_running() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = writer(&folder, 64).await;
    let panics: Write =
        Box::new(|_| -> BoxFuture<'static, _> { panic!("before there is a future") });
    let outcome = writer.write(CancelToken::default(), panics).await;
    assert_eq!(outcome.expect_err("a panic").failure, Failure::Permanent);
    let panics = writer.run(async |_| -> Result<TransactionOutcome<()>, DbErr> { panic!("meant") });
    assert_eq!(
        panics.await.expect_err("a panic").failure,
        Failure::Permanent
    );
    let next = writer.run(async |connection| {
        let inserted = connection
            .execute_unprepared("INSERT INTO rows VALUES (1)")
            .await?;
        Ok(TransactionOutcome::Commit(inserted.rows_affected()))
    });
    assert_eq!(next.await.expect("written"), 1);
}

/// The end of the writer's task drops the requests that it has.
#[tokio::test]
async fn dropped_request_is_ambiguous_once_claimed() {
    for (claimed, failure) in [(false, Failure::NotSent), (true, Failure::Ambiguous)] {
        let (queue, mut messages) = mpsc::unbounded_channel();
        let writer = SqliteWriter { queue };
        let never = |_| async { Ok(TransactionOutcome::Commit(())) };
        let (written, ()) = tokio::join!(writer.run(never), async {
            let Some(Message::Write(request)) = messages.recv().await else {
                panic!("no write");
            };
            if claimed {
                assert!(request.token.claim());
            }
            drop(request);
        });
        assert_eq!(written.expect_err("dropped").failure, failure);
    }
}

#[tokio::test]
async fn writes_behind_the_close_do_not_open_the_file_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = writer(&folder, 64).await;
    let insert = |number: u8| {
        writer.run(async move |connection| {
            let insert = format!("INSERT INTO rows VALUES ({number})");
            connection.execute_unprepared(&insert).await?;
            Ok(TransactionOutcome::Commit(()))
        })
    };
    // Polled in this order, before the writer's task runs.
    let (before, (), behind, ()) =
        tokio::join!(insert(1), writer.close(), insert(2), writer.close());
    before.expect("written");
    assert_eq!(behind.expect_err("closed").failure, Failure::NotSent);
    // The last connection to close removes the log.
    assert!(!folder.path().join("taskhold.db-wal").exists());
    assert_eq!(
        insert(3).await.expect_err("closed").failure,
        Failure::NotSent
    );
}
