//! Under any fault the clients' observations are linearizable: every task has one history, in which
//! each write happened once, between its call and its answer, or not at all.

mod clients;
mod moved;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use taskhold_testkit::linearizability::check;
use taskhold_testkit::linearizability::task::{Action, Outcome, TaskModel, TaskState};
use taskhold_testkit::postgres::PostgresServer;
use taskhold_testkit::proxy::FaultProxy;
use tokio::task::JoinHandle;

use self::clients::{Observations, RandomClient, SharedState, TaskHistory};
use crate::service::{Database, Service, eventually};
use crate::soak::rounds;

const CLIENTS: usize = 8;

fn length() -> Duration {
    rounds(Duration::from_secs(10), Duration::from_mins(1))
}

/// Instances of the service on one store, and clients of all of them.
struct Run {
    shared: Arc<SharedState>,
    instances: Vec<(Database, Option<Service>)>,
    clients: Vec<JoinHandle<Observations>>,
    started: Instant,
}

impl Run {
    async fn start(databases: impl IntoIterator<Item = Database>) -> Self {
        Self::start_with(databases, false).await
    }

    /// Starts with clients that go to the first instance until it says that their user lives elsewhere, each of them
    /// for each request.
    async fn start_routed(databases: impl IntoIterator<Item = Database>) -> Self {
        Self::start_with(databases, true).await
    }

    async fn start_with(databases: impl IntoIterator<Item = Database>, is_routed: bool) -> Self {
        let instances: Vec<_> = databases
            .into_iter()
            .map(|database| (database, None))
            .collect();
        let mut run = Self {
            shared: Arc::new(SharedState::new(instances.len(), is_routed)),
            instances,
            clients: Vec::new(),
            started: Instant::now(),
        };
        for index in 0..run.instances.len() {
            run.start_instance(index).await;
        }
        run.clients = (0..CLIENTS)
            .map(|_| tokio::spawn(RandomClient::new(Arc::clone(&run.shared)).run()))
            .collect();
        run
    }

    async fn start_instance(&mut self, index: usize) {
        let (database, service) = &mut self.instances[index];
        let service = service.insert(Service::start(database).await);
        self.shared
            .set_instance(index, Some(service.client("player")));
    }

    /// Kills an instance during its requests and starts it again.
    async fn kill_instance(&mut self, index: usize) {
        // No client may use the old address: another process may soon listen there.
        self.shared.set_instance(index, None);
        let (_, service) = &mut self.instances[index];
        service.take().expect("it runs").kill();
        self.start_instance(index).await;
    }

    fn is_over(&self) -> bool {
        self.started.elapsed() > length()
    }

    /// Waits until `requests` more requests have been answered.
    async fn wait_for_progress(&self, requests: u64) {
        let goal = self.shared.answers() + requests;
        eventually("the game goes on", async || {
            let failed = self.clients.iter().any(JoinHandle::is_finished);
            assert!(!failed, "a player has failed");
            (self.shared.answers() >= goal).then_some(())
        })
        .await;
    }

    /// Stops the clients and asserts that their observations are linearizable, and that faults were seen.
    async fn assert_linearizable(self) {
        assert!(self.check().await > 0, "the faults were faults");
    }

    /// Stops the clients and asserts that their observations are linearizable. Returns how many writes have an unknown
    /// outcome.
    async fn check(self) -> usize {
        self.shared.end();
        let mut observations = Observations::default();
        for client in self.clients {
            observations.add(client.await.expect("it played to the end"));
        }
        let last = RandomClient::new(Arc::clone(&self.shared))
            .read_every_task(&observations)
            .await;
        observations.add(last);
        let (unknown, learned, refused) = (
            observations.unknown,
            observations.learned,
            observations.refused,
        );
        let histories = observations.histories();
        let operations: usize = histories.iter().map(Vec::len).sum();
        let mut longest = Duration::ZERO;
        for history in &histories {
            let started = Instant::now();
            if let Err(violation) = check::<TaskModel>(TaskState::default(), history) {
                panic!("{violation}{}", format_history(history));
            }
            longest = longest.max(started.elapsed());
        }
        println!(
            "{operations} operations on {} tasks in {:?}; {refused} had no effect, {learned} had their \
             outcome learned by repeating them, {unknown} never; longest check {longest:?}",
            histories.len(),
            self.started.elapsed(),
        );
        assert_swapped_answers_are_detected(histories);
        unknown
    }
}

fn format_history(history: &TaskHistory) -> String {
    let mut history: Vec<_> = history.iter().collect();
    history.sort_by_key(|operation| operation.called);
    let lines = history.iter().map(|operation| format!("\n{operation:?}"));
    format!("all that was seen of it:{}", lines.collect::<String>())
}

/// Asserts that the checker would detect two answers in the wrong order.
fn assert_swapped_answers_are_detected(histories: Vec<TaskHistory>) {
    let mut swapped = 0;
    for mut history in histories {
        history.sort_by_key(|operation| operation.called);
        let mut changes = history.iter_mut().filter_map(|operation| {
            match (&operation.action, &mut operation.answered) {
                (Action::Change { .. }, Some((answered, outcome @ Outcome::Shown(_)))) => {
                    Some((operation.called, *answered, outcome))
                }
                _ => None,
            }
        });
        let Some((_, over, first)) = changes.next() else {
            continue;
        };
        let Some((.., second)) = changes.find(|(called, ..)| *called > over) else {
            continue;
        };
        std::mem::swap(first, second);
        assert!(
            check::<TaskModel>(TaskState::default(), &history).is_err(),
            "{}",
            format_history(&history)
        );
        swapped += 1;
    }
    assert!(swapped > 0, "some task was changed twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn repeatedly_killed_sqlite_service_stays_linearizable() {
    let mut run = Run::start([Database::sqlite()]).await;
    while !run.is_over() {
        run.wait_for_progress(100).await;
        run.kill_instance(0).await;
    }
    run.wait_for_progress(100).await;
    run.assert_linearizable().await;
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    SessionsEnd,
    RepliesAreLost,
    ServerCrashes,
    ServerFreezes,
    InstanceIsKilled,
}

const FAULTS: [Fault; 7] = [
    Fault::SessionsEnd,
    Fault::RepliesAreLost,
    Fault::InstanceIsKilled,
    Fault::ServerCrashes,
    Fault::RepliesAreLost,
    Fault::ServerFreezes,
    Fault::InstanceIsKilled,
];

/// PostgreSQL's confirmations of an instance's statements.
const REPLIES: [&[u8]; 4] = [b"UPDATE 1", b"INSERT 0 1", b"DELETE 1", b"COMMIT"];

async fn inject(fault: Fault, server: &PostgresServer, proxy: &FaultProxy, run: &mut Run) {
    match fault {
        Fault::SessionsEnd => server.end_sessions().await,
        Fault::RepliesAreLost => {
            for reply in REPLIES.repeat(4) {
                proxy.cut_reply_with(reply);
            }
        }
        Fault::ServerCrashes => {
            server.kill();
            server.restart();
        }
        Fault::ServerFreezes => {
            server.freeze();
            // The duration of the outage.
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1_000..2_000))).await;
            server.thaw();
        }
        Fault::InstanceIsKilled => run.kill_instance(fastrand::usize(..2)).await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_postgres_instances_stay_linearizable_under_every_fault() {
    let server = PostgresServer::start().expect("a server");
    let url = server.url("postgres");
    let proxy = FaultProxy::start(&url).await;
    let mut run = Run::start([Database::at(&url), Database::at(&proxy.url(&url))]).await;
    while !run.is_over() {
        let mut faults = FAULTS;
        fastrand::shuffle(&mut faults);
        for fault in faults {
            run.wait_for_progress(100).await;
            inject(fault, &server, &proxy, &mut run).await;
        }
    }
    run.wait_for_progress(100).await;
    run.assert_linearizable().await;
}
