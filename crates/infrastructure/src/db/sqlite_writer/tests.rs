use sea_orm::ConnectionTrait as _;

use super::*;

async fn writer(folder: &tempfile::TempDir, writes_per_commit: usize) -> SqliteWriter {
    let options = crate::db::sqlite::options(&folder.path().join("taskhold.db"));
    let options = options.create_if_missing(true);
    let writes_per_commit = NonZeroUsize::new(writes_per_commit).expect("not zero");
    let writer = SqliteWriter::start(options, writes_per_commit)
        .await
        .expect("started");
    let made = writer.write(async |connection| {
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
            let held = writer.write(async move |_| {
                _ = tell.send(());
                _ = ended.await;
                Ok(TransactionOutcome::Commit(()))
            });
            held.await.expect("held");
        })
    };
    is_held.await.expect("held");

    let run = async |sql: &'static str, outcome_of: fn(u64) -> TransactionOutcome<u64>| {
        let ran = writer.write(async move |connection| {
            let ran = connection.execute_unprepared(sql).await?;
            Ok(outcome_of(ran.rows_affected()))
        });
        ran.await.map_err(|error| error.failure)
    };
    let idle = async |outcome: fn() -> Result<TransactionOutcome<u64>, DbErr>| {
        let ran = writer.write(async move |_| outcome());
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
        let written = writer.write(async move |connection| {
            let insert = "INSERT INTO rows VALUES (1)";
            connection.execute_unprepared(insert).await?;
            let cause = RuntimeErr::SqlxError(lost().into());
            Err::<TransactionOutcome<()>, _>(DbErr::Exec(cause))
        });
        let error = written.await.expect_err("an error");
        assert_eq!(error.failure, Failure::RolledBack);
    }

    let found = writer.write(async |connection| {
        let delete = "DELETE FROM rows";
        let deleted = connection.execute_unprepared(delete).await?;
        Ok(TransactionOutcome::Commit(deleted.rows_affected()))
    });
    assert_eq!(found.await.expect("counted"), 0);
}
