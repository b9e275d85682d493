//! The cases recorded from the original command-line app (the *console*), replayed against the use
//! cases over memory.

#![expect(clippy::expect_used, reason = "a test states what it expects")]

use std::num::NonZeroU64;
use std::sync::Arc;

use taskhold_application::actor::Actor;
use taskhold_application::ids::TimeOrderedIds;
use taskhold_application::tasks::{Precondition, TaskError, TaskPorts, TaskQuery, TaskService};
use taskhold_domain::input::{Member, TaskInput};
use taskhold_domain::task::{Task, TaskChange, TaskId};
use taskhold_domain::user::UserId;
use taskhold_domain::zone::Zone;
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::console::{Console, Operation, Outcome, Seen, recorded_cases, replay};
use taskhold_testkit::memory::MemoryStore;

struct Service {
    tasks: TaskService,
    clock: Arc<ManualClock>,
}

impl Service {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let tasks = TaskService::new(
            TaskPorts::of(Arc::new(MemoryStore::default())),
            clock.clone(),
            Arc::new(TimeOrderedIds),
            NonZeroU64::MAX,
            NonZeroU64::MAX,
        );
        Self { tasks, clock }
    }
}

impl Console for Service {
    async fn run(&self, owner: &str, operation: Operation) -> Outcome {
        self.clock.advance(1);
        // The console checks the owner last, and only of a task that it is about to store.
        let owner = UserId::parse(owner);
        if let (Err(refused), Operation::Add { title, description }) = (&owner, &operation) {
            let first = input(title, description.as_deref())
                .into_draft()
                .map_err(|broken| broken.to_string());
            return Outcome::Refused(first.err().unwrap_or_else(|| refused.to_string()));
        }
        let Ok(owner) = owner else {
            return if operation == Operation::List {
                Outcome::Tasks(Vec::new())
            } else {
                Outcome::NotFound
            };
        };
        let actor = Actor::session(owner.clone());
        let change = async |id: &str, change: TaskChange| {
            let id = TaskId::parse(id).expect("an id from this service");
            one(self
                .tasks
                .change(&actor, id, &change, &Precondition::None, Zone::UTC, None)
                .await
                .map(|written| written.outcome))
        };
        match operation {
            Operation::Add { title, description } => {
                match input(&title, description.as_deref()).into_draft() {
                    Ok(draft) => {
                        let created = self.tasks.create(&actor, draft, None).await;
                        one(created.map(|written| written.outcome))
                    }
                    Err(broken) => Outcome::Refused(broken.to_string()),
                }
            }
            Operation::Update {
                id,
                title,
                description,
            } => match input(&title, description.as_deref()).into_update() {
                Ok(update) => change(&id, update).await,
                Err(broken) => Outcome::Refused(broken.to_string()),
            },
            Operation::Complete { id, completed } => {
                change(&id, TaskChange::complete(completed)).await
            }
            Operation::Toggle { id } => change(&id, TaskChange::toggle()).await,
            Operation::Delete { id } => {
                let id = TaskId::parse(&id).expect("an id from this service");
                match self
                    .tasks
                    .delete(&actor, id, &Precondition::None, None)
                    .await
                {
                    Ok(_) => Outcome::Deleted,
                    Err(error) => not_found(&error),
                }
            }
            Operation::Get { id } => {
                let id = TaskId::parse(&id).expect("an id from this service");
                one(self.tasks.find(&owner, id).await)
            }
            Operation::List => {
                let page = self
                    .tasks
                    .list(&owner, &TaskQuery::default())
                    .await
                    .expect("listed");
                Outcome::Tasks(page.tasks.iter().map(seen).collect())
            }
        }
    }
}

fn input(title: &str, description: Option<&str>) -> TaskInput {
    TaskInput {
        title: Member::Given(title.to_owned()),
        description: description.map_or(Member::Absent, |text| Member::Given(text.to_owned())),
        ..TaskInput::default()
    }
}

fn one(outcome: Result<Task, TaskError>) -> Outcome {
    match outcome {
        Ok(task) => Outcome::Task(seen(&task)),
        Err(error) => not_found(&error),
    }
}

fn not_found(error: &TaskError) -> Outcome {
    assert!(matches!(error, TaskError::NotFound), "{error:?}");
    Outcome::NotFound
}

fn seen(task: &Task) -> Seen {
    Seen {
        id: task.id.to_string(),
        title: task.title.as_str().to_owned(),
        description: task.description.as_str().to_owned(),
        completed: task.completed,
        created_at: task.created_at.to_string(),
        updated_at: task.updated_at.to_string(),
    }
}

#[tokio::test]
async fn recorded_cases_end_as_on_the_console() {
    let mut steps = 0;
    let cases = recorded_cases();
    for case in &cases {
        steps += replay(case, &Service::new()).await;
    }
    assert_eq!(
        (cases.len(), steps),
        (250, 3892),
        "the recording is complete"
    );
}
