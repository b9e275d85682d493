//! A copy of the SQLite file alone, which is what people make who do not know of the files beside it.

use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use crate::service::{Database, Service, run};

/// Returns the number of tasks in a file, or 0 if it has no such table.
async fn tasks_in(file: &std::path::Path) -> i64 {
    let url = format!("sqlite://{}", file.display());
    let mut connection = SqliteConnection::connect(&url).await.expect("a file");
    let count = sqlx::query_scalar("SELECT count(*) FROM tasks");
    count.fetch_one(&mut connection).await.unwrap_or(0)
}

#[tokio::test]
async fn copy_of_the_served_file_alone_lacks_what_a_backup_has() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    for number in 0..5 {
        anna.create(json!({"title": format!("task {number}")}))
            .await;
    }
    let served = database.folder.path().join("data/taskhold.db");
    let copy = database.folder.path().join("copy.db");
    std::fs::copy(&served, &copy).expect("copied");
    assert!(tasks_in(&copy).await < 5, "the documents warn of this copy");

    let variables = [("DATABASE_URL", database.url.as_str())];
    let backup = run(
        database.folder.path(),
        &variables,
        &["backup", "--output", "safe"],
    );
    assert!(backup.status.success(), "{backup:?}");
    let folder = String::from_utf8(backup.stdout).expect("UTF-8");
    let folder = folder.lines().next().expect("its folder");
    let whole = database.folder.path().join(folder).join("store.sqlite");
    assert_eq!(tasks_in(&whole).await, 5, "an ordinary SQLite file");

    // Once the service has stopped, the file is whole.
    assert!(service.stop().await.success());
    std::fs::copy(&served, &copy).expect("copied");
    assert_eq!(tasks_in(&copy).await, 5);
}
