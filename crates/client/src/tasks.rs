//! Tasks, lists of tasks, the trash and the history of a task.

use futures_util::stream::{self, Stream, TryStreamExt as _};
use reqwest::Method;
use reqwest::header::IF_MATCH;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use taskhold_domain::task::TaskId;

use crate::call::Call;
use crate::change_seq::change_seq;
use crate::client::Client;
use crate::error::Error;
use crate::idempotency::IdempotencyKey;
pub use crate::task::{
    Change, ChangedTask, DeletedTask, FieldChange, Filter, NewTask, Task, TaskPatch, Understood,
    UnderstoodPart, Written,
};

const API: [&str; 2] = ["api", "v1"];
/// The number of tasks of a page: the most that the service takes.
const PAGE: &str = "1000";

#[derive(Deserialize)]
struct OneTask {
    task: Task,
}

#[derive(Deserialize)]
struct TaskPage {
    tasks: Vec<Task>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct TrashPage {
    tasks: Vec<DeletedTask>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct HistoryPage {
    history: Vec<Change>,
    next_cursor: Option<String>,
}

/// A page of a list, and the cursor of the next one.
trait Page: DeserializeOwned {
    type Item;
    fn split(self) -> (Vec<Self::Item>, Option<String>);
}

macro_rules! page {
    ($page:ty, $items:ident, $item:ty) => {
        impl Page for $page {
            type Item = $item;
            fn split(self) -> (Vec<$item>, Option<String>) {
                (self.$items, self.next_cursor)
            }
        }
    };
}

page!(TaskPage, tasks, Task);
page!(TrashPage, tasks, DeletedTask);
page!(HistoryPage, history, Change);

impl Client {
    /// Makes a task.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Invalid`] with the rules that it breaks.
    pub async fn create(
        &self,
        task: &NewTask,
        key: &IdempotencyKey,
    ) -> Result<Written<Task>, Error> {
        let call = self.api(Method::POST, &["tasks"]).json(task).key(key);
        self.write(call, |answer: OneTask| answer.task).await
    }

    /// Makes a task out of a line of text, such as `Pay rent tomorrow 9am #home !high`. Days are meant in the time
    /// zone of this name.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn quick_add(
        &self,
        text: &str,
        timezone: &str,
        key: &IdempotencyKey,
    ) -> Result<Written<Understood>, Error> {
        let body = serde_json::json!({ "text": text, "timezone": timezone });
        let call = self
            .api(Method::POST, &["tasks", "quick"])
            .json(&body)
            .key(key);
        self.write(call, |answer| answer).await
    }

    /// Reads a task.
    ///
    /// # Errors
    /// [`Error`]; [`Error::NotFound`] also if it is another user's, or in the trash.
    pub async fn task(&self, id: TaskId) -> Result<Task, Error> {
        let call = self.api(Method::GET, &["tasks", &id.to_string()]);
        self.read(call).await.map(|answer: OneTask| answer.task)
    }

    /// Reads all tasks that a filter selects, page by page as the stream is read.
    pub fn tasks(&self, filter: &Filter) -> impl Stream<Item = Result<Task, Error>> + use<> {
        self.pages::<TaskPage>(&["tasks"], filter.pairs())
    }

    /// Replaces title and description.
    ///
    /// # Errors
    /// As [`patch`](Self::patch).
    pub async fn update(
        &self,
        id: TaskId,
        title: &str,
        description: &str,
        key: &IdempotencyKey,
    ) -> Result<Written<Task>, Error> {
        let body = serde_json::json!({ "title": title, "description": description });
        let call = self
            .api(Method::PUT, &["tasks", &id.to_string()])
            .json(&body)
            .key(key);
        self.write(call, |answer: OneTask| answer.task).await
    }

    /// Changes some members, if given an `etag` only while the task still has it.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Changed`] with the present state.
    pub async fn patch(
        &self,
        id: TaskId,
        patch: &TaskPatch,
        etag: Option<&str>,
        key: &IdempotencyKey,
    ) -> Result<Written<ChangedTask>, Error> {
        let call = self
            .api(Method::PATCH, &["tasks", &id.to_string()])
            .json(patch)
            .key(key);
        let call = match etag {
            Some(etag) => call.header(IF_MATCH, etag),
            None => call,
        };
        self.write(call, |answer| answer).await
    }

    /// Completes a task, reopens it, or toggles it if told neither. The time zone says on which day a task is
    /// completed that repeats.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn complete(
        &self,
        id: TaskId,
        completed: Option<bool>,
        timezone: &str,
        key: &IdempotencyKey,
    ) -> Result<Written<ChangedTask>, Error> {
        let call = self
            .api(Method::PATCH, &["tasks", &id.to_string(), "complete"])
            .query([("timezone", timezone.to_owned())])
            .key(key);
        let call = match completed {
            Some(completed) => call.json(&serde_json::json!({ "completed": completed })),
            None => call,
        };
        self.write(call, |answer| answer).await
    }

    /// Moves a task to the trash.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete(&self, id: TaskId, key: &IdempotencyKey) -> Result<Written<()>, Error> {
        let call = self
            .api(Method::DELETE, &["tasks", &id.to_string()])
            .key(key);
        let answer = self.done(call).await?;
        Ok(Written {
            value: (),
            seq: change_seq(&answer.headers),
        })
    }

    /// Reads the changes of a task, newest first, page by page as the stream is read.
    pub fn history(&self, id: TaskId) -> impl Stream<Item = Result<Change, Error>> + use<> {
        self.pages::<HistoryPage>(&["tasks", &id.to_string(), "history"], Vec::new())
    }

    /// Takes a change back, by its number.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Conflict`] if what it set has changed since.
    pub async fn undo(&self, seq: i64, key: &IdempotencyKey) -> Result<Written<Task>, Error> {
        let call = self
            .api(Method::POST, &["changes", &seq.to_string(), "undo"])
            .key(key);
        self.write(call, |answer: OneTask| answer.task).await
    }

    /// Reads the trash, newest deletion first, page by page as the stream is read.
    pub fn trash(&self) -> impl Stream<Item = Result<DeletedTask, Error>> + use<> {
        self.pages::<TrashPage>(&["trash"], Vec::new())
    }

    /// Takes a task out of the trash.
    ///
    /// # Errors
    /// [`Error`]; [`Error::NotFound`] if it is not there.
    pub async fn restore(&self, id: TaskId, key: &IdempotencyKey) -> Result<Written<Task>, Error> {
        let call = self
            .api(Method::POST, &["trash", &id.to_string(), "restore"])
            .key(key);
        self.write(call, |answer: OneTask| answer.task).await
    }

    /// Deletes a task in the trash for good.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn purge(&self, id: TaskId) -> Result<(), Error> {
        let call = self.api(Method::DELETE, &["trash", &id.to_string()]);
        self.done(call).await.map(drop)
    }

    /// Starts a request to the part of the API about tasks.
    pub(crate) fn api(&self, method: Method, path: &[&str]) -> Call {
        self.call(method, &[&API, path].concat())
    }

    async fn write<A: DeserializeOwned, T>(
        &self,
        call: Call,
        value: impl FnOnce(A) -> T,
    ) -> Result<Written<T>, Error> {
        let answer = self.send(call).await?;
        Ok(Written {
            value: value(self.json(&answer)?),
            seq: change_seq(&answer.headers),
        })
    }

    fn pages<P: Page>(
        &self,
        path: &[&str],
        pairs: Vec<(&'static str, String)>,
    ) -> impl Stream<Item = Result<P::Item, Error>> + use<P> {
        let client = self.clone();
        let path: Vec<String> = path.iter().map(|segment| (*segment).to_owned()).collect();
        // The cursor of the next page; `None` behind the last one.
        let first = Some(None::<String>);
        let pages = stream::try_unfold(first, move |next| {
            let (client, path, pairs) = (client.clone(), path.clone(), pairs.clone());
            async move {
                let Some(cursor) = next else {
                    return Ok(None);
                };
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                let call = client.api(Method::GET, &path).query(pairs);
                let call = call.query([("limit", PAGE.to_owned())]);
                let call = call.query(cursor.map(|cursor| ("cursor", cursor)));
                let (items, cursor) = client.read::<P>(call).await?.split();
                let items = stream::iter(items.into_iter().map(Ok));
                Ok::<_, Error>(Some((items, cursor.map(Some))))
            }
        });
        pages.try_flatten()
    }
}
