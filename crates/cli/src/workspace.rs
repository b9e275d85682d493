//! A login, and the data that this computer keeps about its tasks.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use taskhold_client::credentials::Credentials;
use taskhold_client::tasks::Task;
use taskhold_client::{Client, Error};
use taskhold_domain::task::TaskId;
use taskhold_domain::zone::Zone;

use crate::arguments::{Common, DEFAULT_LOGIN};
use crate::cache::Cache;
use crate::clock::{age, words};
use crate::ends::{Ends, Named};
use crate::failure::{Failure, Kind};
use crate::folders::Folders;
use crate::last_change::LastChange;
use crate::logins::{LoginSession, NamedLogin};
use crate::output::Output;
use crate::secrets::Secret;
use crate::usage::Usage;

/// The time for which a request is repeated while the service is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// A clock that differs by this much is worth a word, in seconds.
const WRONG_CLOCK: i64 = 300;

/// A login, and the data that this computer keeps about its tasks.
pub struct Workspace {
    pub client: Client,
    pub cache: Cache,
    pub ends: Ends,
    /// The time zone of this computer.
    pub zone: Zone,
    /// The folder of the writes whose outcome is not known.
    pub pending: PathBuf,
    /// The service and the user.
    pub account: String,
    last_change: LastChange,
    has_compared_clocks: bool,
}

/// A task in JSON: as the service tells it, with the end of its id by which it is shown.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    #[serde(flatten)]
    pub task: &'a Task,
    pub short_id: String,
}

/// The login that a command uses, before it connects.
struct Account {
    url: String,
    /// The user, as far as it is known without asking.
    user: String,
    ca: Option<String>,
    credentials: Credentials,
    folders: Folders,
}

impl Workspace {
    /// Opens the login that the options name, or the one of `TODO_URL` and `TODO_TOKEN`.
    pub fn open(common: &Common) -> Result<Self, Failure> {
        let account = match (&common.user_id, from_environment()?) {
            (None, Some(account)) => account,
            (name, _) => from_login(name.as_deref().unwrap_or(DEFAULT_LOGIN))?,
        };
        let name = format!("{} {}", account.url, account.user);
        let last_change = LastChange::open(&account.folders.state, &name);
        let client = client(&account.url, account.ca.as_deref())?
            .credentials(account.credentials)
            .change_seq(last_change.seq())
            .build()?;
        Ok(Self {
            client,
            cache: Cache::open(&account.folders.cache, &name),
            ends: Ends::open(&account.folders.state),
            zone: system_zone(),
            pending: account.folders.state.join("pending"),
            account: name,
            last_change,
            has_compared_clocks: false,
        })
    }

    /// Reads what has changed, for a command that needs the service. Returns the number of the last change of any task.
    pub async fn update(&mut self, output: &Output) -> Result<Option<i64>, Failure> {
        let pages = self.cache.update(&self.client).await?;
        self.compare_clocks(output);
        Ok(pages.last().and_then(|page| page.last))
    }

    /// Reads what has changed. If the service is away, the copy is used as it is, and the person is told. Returns since
    /// when the copy has not been current, in that case.
    pub async fn update_if_reachable(
        &mut self,
        output: &Output,
    ) -> Result<Option<SystemTime>, Failure> {
        // Whoever can do without the service does not wait for it.
        let client = match self.cache.current_at() {
            Some(_) => self.client.with_patience(Duration::ZERO),
            None => self.client.clone(),
        };
        let Err(error) = self.cache.update(&client).await else {
            self.compare_clocks(output);
            return Ok(None);
        };
        let is_away = matches!(
            error,
            Error::Unreachable { .. }
                | Error::Busy { .. }
                | Error::Failed(_)
                | Error::NotTaskhold { .. }
        );
        match self.cache.current_at() {
            Some(current_at) if is_away => {
                output.note(&format!(
                    "Offline: {}. These are your tasks of {} ago.",
                    error.to_string().trim_end_matches('.'),
                    words(age(current_at))
                ));
                Ok(Some(current_at))
            }
            _ => Err(error.into()),
        }
    }

    /// Keeps the last change that the service has told, for later commands.
    pub fn keep_last_change(&mut self) {
        self.last_change.keep(self.client.change_seq());
    }

    /// Returns the ids of all tasks.
    pub fn ids(&self) -> Vec<TaskId> {
        self.cache.tasks().iter().map(|task| task.id).collect()
    }

    /// Returns the end by which a task is shown.
    pub fn end(&mut self, id: TaskId) -> String {
        let known = self.ids();
        self.ends
            .show(&[id], &known)
            .pop()
            .unwrap_or_else(|| id.to_string())
    }

    /// Returns rows of tasks.
    pub fn rows<'a>(&mut self, tasks: impl IntoIterator<Item = &'a Task>) -> Vec<Row<'a>> {
        let known = self.ids();
        rows(&mut self.ends, tasks.into_iter().collect(), &known)
    }

    /// Returns rows of the tasks in the copy that are selected, in the order of their creation.
    pub fn selected(&mut self, is_selected: impl Fn(&Task) -> bool) -> Vec<Row<'_>> {
        let known = self.ids();
        let tasks = self.cache.tasks().iter().filter(|task| is_selected(task));
        rows(&mut self.ends, tasks.collect(), &known)
    }

    /// Returns the task among these ids that a text names.
    pub fn find(&self, command: &str, text: &str, ids: &[TaskId]) -> Result<TaskId, Failure> {
        // The colon is that of the list.
        let text = text.trim().trim_end_matches(':');
        match self.ends.find(text, ids) {
            Named::Task(id) => Ok(id),
            Named::Nothing => Err(Failure::no_task(text)),
            Named::Several(count) => Err(Failure::new(
                Kind::NotFound,
                format!("{count} tasks have an ID that ends with {text}: give more of it"),
            )),
            Named::Malformed => Err(Failure::Usage(Usage::no_task_id(command, text))),
        }
    }

    /// Tells the person once if the clocks differ.
    fn compare_clocks(&mut self, output: &Output) {
        if std::mem::replace(&mut self.has_compared_clocks, true) {
            return;
        }
        let lead = self.client.clock_lead().unwrap_or_default();
        if lead.abs() >= WRONG_CLOCK {
            let side = if lead > 0 { "ahead of" } else { "behind" };
            let difference = words(Duration::from_secs(lead.unsigned_abs()));
            output.note(&format!(
                "The clock of this computer is {difference} {side} that of the service."
            ));
        }
    }
}

fn rows<'a>(ends: &mut Ends, tasks: Vec<&'a Task>, known: &[TaskId]) -> Vec<Row<'a>> {
    let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
    let rows = tasks.into_iter().zip(ends.show(&ids, known));
    rows.map(|(task, short_id)| Row { task, short_id })
        .collect()
}

/// Returns a client that is being set up, with the name of this program.
pub fn client(url: &str, ca: Option<&str>) -> Result<taskhold_client::ClientBuilder, Failure> {
    let builder = Client::builder(url)?
        .user_agent(concat!("todo/", env!("CARGO_PKG_VERSION")))
        .patience(PATIENCE);
    Ok(match ca {
        Some(pem) => builder.trust(pem.as_bytes())?,
        None => builder,
    })
}

fn from_login(name: &str) -> Result<Account, Failure> {
    let folders = Folders::of(name)?;
    let named = NamedLogin::of(name, &folders);
    let login = named.existing()?;
    let credentials = match named.secret(&login)? {
        Secret::Session { tokens, .. } => {
            Credentials::session(LoginSession::new(named, &login, tokens))
        }
        Secret::Token { token } => Credentials::token(token),
    };
    Ok(Account {
        url: login.url,
        user: login.user.id,
        ca: login.ca,
        credentials,
        folders,
    })
}

fn from_environment() -> Result<Option<Account>, Failure> {
    let set = |name| {
        let value = std::env::var(name).ok()?;
        // A secret of a CI often ends with a line end.
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let (url, token) = match (set("TODO_URL"), set("TODO_TOKEN")) {
        (None, None) => return Ok(None),
        (Some(url), Some(token)) => (url, token),
        (url, _) => {
            let (present, missing) = match url {
                Some(_) => ("TODO_URL", "TODO_TOKEN"),
                None => ("TODO_TOKEN", "TODO_URL"),
            };
            let message =
                format!("{present} is set without {missing}: set both, or none to use a login");
            return Err(Failure::new(Kind::NotAllowed, message));
        }
    };
    // The user is not known without asking, so each token has a copy of its own.
    let mut hasher = DefaultHasher::new();
    (&url, &token).hash(&mut hasher);
    let user = format!("{:016x}", hasher.finish());
    Ok(Some(Account {
        // Without a home nothing is kept.
        folders: Folders::of(&format!("token {user}")).unwrap_or_else(|_| Folders::nowhere()),
        url,
        user,
        ca: None,
        credentials: Credentials::token(token),
    }))
}

/// Returns the time zone of this computer, or UTC if it has no name.
pub fn system_zone() -> Zone {
    let zone = jiff::tz::TimeZone::system();
    let named = zone.iana_name().and_then(|name| Zone::parse(name).ok());
    named.unwrap_or_default()
}
