//! Adds a task, lists the open ones, and takes the addition back.
//!
//! `cargo run -p taskhold-client --example tasks -- http://127.0.0.1:8080 TOKEN`

use std::error::Error;

use futures_util::TryStreamExt as _;
use taskhold_client::credentials::Credentials;
use taskhold_client::tasks::{Filter, NewTask};
use taskhold_client::{Client, IdempotencyKey};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(token)) = (arguments.next(), arguments.next()) else {
        return Err("usage: tasks ADDRESS TOKEN".into());
    };
    let client = Client::builder(&address)?
        .credentials(Credentials::token(token))
        .build()?;
    let added = client
        .create(&NewTask::titled("Read the docs"), &IdempotencyKey::random())
        .await?;
    println!("Added {}", added.value.title);
    let mut open = std::pin::pin!(client.tasks(&Filter::open()));
    while let Some(task) = open.try_next().await? {
        println!("[ ] {}", task.title);
    }
    if let Some(seq) = added.seq {
        client.undo(seq, &IdempotencyKey::random()).await?;
        println!("Took the addition back");
    }
    Ok(())
}
