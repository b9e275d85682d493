//! The change feed: the changes since a cursor, and the stream that announces them.

use std::time::Duration;

use futures_util::stream::{self, Stream};
use reqwest::Method;
use serde::Deserialize;
use taskhold_domain::task::TaskId;

use crate::change_seq::change_seq;
use crate::client::Client;
use crate::error::Error;
use crate::events::Events;
use crate::tasks::Task;

/// The number of changes of a page: the most that the service takes.
const PAGE: &str = "1000";
/// The pauses between attempts to connect to the stream.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A page of the changes since a cursor.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Changes {
    /// The tasks that changed, each once and as it is now.
    pub changed: Vec<Task>,
    /// The ids of those that are gone: deleted, or in the trash.
    pub removed: Vec<TaskId>,
    /// The cursor of the next page.
    pub cursor: String,
    /// `true` if another page can be read at once.
    pub has_more: bool,
    /// The number of the last change before the cursor, which [`Client::undo`] takes. If there is no more to read, that
    /// is the last change of any task. `None` before the first change.
    #[serde(skip)]
    pub last: Option<i64>,
}

impl Client {
    /// Reads a page of the changes since a cursor, or the first page of all tasks without one. A page may repeat earlier
    /// changes, and never leaves one out.
    ///
    /// # Errors
    /// [`Error`]; [`Error::CursorExpired`] if one has to start over without a cursor.
    pub async fn changes(&self, cursor: Option<&str>) -> Result<Changes, Error> {
        let call = self
            .api(Method::GET, &["changes"])
            .query([("limit", PAGE.to_owned())]);
        let call = call.query(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        let answer = self.send(call).await?;
        let page: Changes = self.json(&answer)?;
        Ok(Changes {
            last: change_seq(&answer.headers),
            ..page
        })
    }

    /// Reads all pages of the changes since a cursor.
    pub fn all_changes(
        &self,
        cursor: Option<String>,
    ) -> impl Stream<Item = Result<Changes, Error>> + use<> {
        let client = self.clone();
        let start = Some(cursor);
        stream::try_unfold(start, move |next| {
            let client = client.clone();
            async move {
                let Some(cursor) = next else {
                    return Ok(None);
                };
                let page = client.changes(cursor.as_deref()).await?;
                let next = page.has_more.then(|| Some(page.cursor.clone()));
                Ok(Some((page, next)))
            }
        })
    }

    /// Tells whenever something may have changed: at once, and then whenever the service says so. The stream connects
    /// again when it breaks, also while the service is away; it ends only by an error that waiting does not cure, such
    /// as a revoked token. Read [`all_changes`](Self::all_changes) after each item.
    pub fn watch(&self) -> impl Stream<Item = Result<(), Error>> + use<> {
        let state = Watch {
            client: self.clone(),
            events: None,
            pause: FIRST_PAUSE,
            has_failed: false,
        };
        stream::unfold(state, |mut watch| async move {
            if watch.has_failed {
                return None;
            }
            let told = watch.next().await;
            watch.has_failed = told.is_err();
            Some((told, watch))
        })
    }
}

struct Watch {
    client: Client,
    events: Option<Events>,
    pause: Duration,
    has_failed: bool,
}

impl Watch {
    async fn next(&mut self) -> Result<(), Error> {
        loop {
            if let Some(events) = &mut self.events {
                match events.next().await {
                    Some(event) if event.name == "change" => {
                        self.pause = FIRST_PAUSE;
                        self.client.learn(event.seq);
                        return Ok(());
                    }
                    Some(event) => {
                        if let Some(retry) = event.retry {
                            self.pause = retry.clamp(FIRST_PAUSE, LONGEST_PAUSE);
                        }
                    }
                    None => {
                        self.events = None;
                        self.wait().await;
                    }
                }
                continue;
            }
            let call = self.client.api(Method::GET, &["changes", "stream"]);
            match self.client.open(call).await {
                Ok(response) => self.events = Some(Events::new(response)),
                Err(
                    Error::Unreachable { .. }
                    | Error::Busy { .. }
                    | Error::Failed(_)
                    | Error::NotTaskhold { .. },
                ) => {
                    self.wait().await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn wait(&mut self) {
        let jittered = self.pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        tokio::time::sleep(jittered).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
