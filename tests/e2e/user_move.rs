//! One user is moved to another store while both are served. `history` has the clients who write meanwhile.

mod killed;
mod life;
mod refusals;
mod repair;

use crate::backup::CommandOutcome;
use crate::service::{Answer, Client, Database, TASKS};

impl Database {
    /// Moves a user at once: without the minute in which every instance learns of it.
    pub fn move_to(&self, target: &Self, user: &str) -> CommandOutcome {
        let variables = [("TO_DATABASE_URL", target.url.as_str())];
        self.run_command_with(&variables, &["copy", "--user", user, "--at-once"])
    }
}

/// Creates a task, and returns the answer.
async fn write(client: &Client, title: &str) -> Answer {
    client
        .post(TASKS, serde_json::json!({"title": title}))
        .await
}
