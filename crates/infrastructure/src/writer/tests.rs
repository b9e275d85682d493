use sea_orm::ConnectionTrait as _;

use super::*;

async fn writer(folder: &tempfile::TempDir, writes_per_commit: usize) -> Writer {
    let options = crate::sqlite::options(&folder.path().join("taskhold.db"));
    let options = options.create_if_missing(true);
    let writes_per_commit = NonZeroUsize::new(writes_per_commit).expect("not zero");
    let writer = Writer::start(options, writes_per_commit)
        .await
        .expect("started");
    let made = writer.write(async |connection| {
        let table = "CREATE TABLE rows (number integer)";
        connection.execute_unprepared(table).await?;
        Ok(Verdict::Keep(()))
    });
    made.await.expect("made");
    writer
}

#[tokio::test]
async fn writes_of_one_transaction_keep_apart_whatever_each_of_them_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = Arc::new(writer(&folder, 64).await);
    // All of them wait until this one ends, so they share the next transaction.
    let (end, ended) = oneshot::channel::<()>();
    let (tell, is_held) = oneshot::channel::<()>();
    let first = {
        let writer = Arc::clone(&writer);
        tokio::spawn(async move {
            let held = writer.write(async move |_| {
                _ = tell.send(());
                _ = ended.await;
                Ok(Verdict::Keep(()))
            });
            held.await.expect("held");
        })
    };
    is_held.await.expect("held");

    let run = async |sql: &'static str, verdict: fn(u64) -> Verdict<u64>| {
        let ran = writer.write(async move |connection| {
            let ran = connection.execute_unprepared(sql).await?;
            Ok(verdict(ran.rows_affected()))
        });
        ran.await.map_err(|failed| failed.failure)
    };
    let idle = async |outcome: fn() -> Result<Verdict<u64>, DbErr>| {
        let ran = writer.write(async move |_| outcome());
        ran.await.map_err(|failed| failed.failure)
    };
    let outcomes = futures_util::future::join_all([
        run("INSERT INTO rows VALUES (1), (2)", Verdict::Keep).boxed_local(),
        idle(|| Ok(Verdict::Keep(0))).boxed_local(),
        run("DELETE FROM rows WHERE number = 9", Verdict::Keep).boxed_local(),
        idle(|| Ok(Verdict::Undo(0))).boxed_local(),
        run("INSERT INTO rows VALUES (3)", Verdict::Undo).boxed_local(),
        idle(|| Err(DbErr::Custom("meant".into()))).boxed_local(),
        run("INSERT INTO nothing VALUES (4)", Verdict::Keep).boxed_local(),
        run("INSERT INTO rows VALUES (5)", Verdict::Keep).boxed_local(),
        run("DELETE FROM rows WHERE number = 2", Verdict::Keep).boxed_local(),
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

    let left = run("DELETE FROM rows WHERE number IN (1, 5)", Verdict::Undo).await;
    assert_eq!(left, Ok(2));
    assert_eq!(run("DELETE FROM rows", Verdict::Undo).await, Ok(2));
}

#[tokio::test]
async fn an_error_before_the_commit_means_that_nothing_was_done() {
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
            Err::<Verdict<()>, _>(DbErr::Exec(cause))
        });
        let failed = written.await.expect_err("an error");
        assert_eq!(failed.failure, Failure::RolledBack);
    }

    let found = writer.write(async |connection| {
        let delete = "DELETE FROM rows";
        let deleted = connection.execute_unprepared(delete).await?;
        Ok(Verdict::Keep(deleted.rows_affected()))
    });
    assert_eq!(found.await.expect("counted"), 0);
}
