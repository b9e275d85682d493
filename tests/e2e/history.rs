//! Whatever breaks, what the clients saw can be explained: every task has one history, in which each
//! write happened once, between its call and its answer, or not at all.

mod clients;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use taskhold_testkit::linearizability::check;
use taskhold_testkit::linearizability::task::{Action, Life, Outcome, TaskModel};
use taskhold_testkit::postgres::PostgresServer;
use taskhold_testkit::proxy::FaultProxy;
use tokio::task::JoinHandle;

use self::clients::{Board, Notes, Player, TaskHistory};
use crate::service::{Database, Service, eventually};
use crate::soak::rounds;

const PLAYERS: usize = 8;

fn length() -> Duration {
    rounds(Duration::from_secs(10), Duration::from_mins(1))
}

/// Instances of the service on one store, and clients of them all.
struct Game {
    board: Arc<Board>,
    instances: Vec<(Database, Option<Service>)>,
    players: Vec<JoinHandle<Notes>>,
    started: Instant,
}

impl Game {
    async fn start(databases: impl IntoIterator<Item = Database>) -> Self {
        let instances: Vec<_> = databases
            .into_iter()
            .map(|database| (database, None))
            .collect();
        let mut game = Self {
            board: Arc::new(Board::new(instances.len())),
            instances,
            players: Vec::new(),
            started: Instant::now(),
        };
        for index in 0..game.instances.len() {
            game.start_instance(index).await;
        }
        game.players = (0..PLAYERS)
            .map(|_| tokio::spawn(Player::new(Arc::clone(&game.board)).play()))
            .collect();
        game
    }

    async fn start_instance(&mut self, index: usize) {
        let (database, service) = &mut self.instances[index];
        let service = service.insert(Service::start(database).await);
        self.board
            .set_instance(index, Some(service.client("player")));
    }

    /// Ends an instance as a power switch would, in the midst of its requests, and starts it again.
    async fn kill_instance(&mut self, index: usize) {
        // Nobody must ask at this address any more: it may soon be another's.
        self.board.set_instance(index, None);
        let (_, service) = &mut self.instances[index];
        service.take().expect("it runs").kill();
        self.start_instance(index).await;
    }

    fn is_over(&self) -> bool {
        self.started.elapsed() > length()
    }

    /// Waits until so many more requests are answered.
    async fn wait_for_progress(&self, requests: u64) {
        let goal = self.board.answers() + requests;
        eventually("the game goes on", async || {
            let failed = self.players.iter().any(JoinHandle::is_finished);
            assert!(!failed, "a player has failed");
            (self.board.answers() >= goal).then_some(())
        })
        .await;
    }

    /// Ends it: all that was seen can be explained.
    async fn finish(self) {
        self.board.end();
        let mut notes = Notes::default();
        for player in self.players {
            notes.add(player.await.expect("it played to the end"));
        }
        let last = Player::new(Arc::clone(&self.board))
            .look_at_all(&notes)
            .await;
        notes.add(last);
        let (unknown, learned, refused) = (notes.unknown, notes.learned, notes.refused);
        let histories = notes.histories();
        let operations: usize = histories.iter().map(Vec::len).sum();
        let mut longest = Duration::ZERO;
        for history in &histories {
            let started = Instant::now();
            if let Err(violation) = check::<TaskModel>(Life::default(), history) {
                panic!("{violation}{}", told(history));
            }
            longest = longest.max(started.elapsed());
        }
        println!(
            "{operations} operations on {} tasks in {:?}; {refused} had no effect, {learned} had their \
             outcome learned by repeating them, {unknown} never; longest check {longest:?}",
            histories.len(),
            self.started.elapsed(),
        );
        assert!(unknown > 0, "the faults were faults");
        swapped_answers_are_found(histories);
    }
}

fn told(history: &TaskHistory) -> String {
    let mut history: Vec<_> = history.iter().collect();
    history.sort_by_key(|operation| operation.called);
    let lines = history.iter().map(|operation| format!("\n{operation:?}"));
    format!("all that was seen of it:{}", lines.collect::<String>())
}

/// Had two changes been done in the other order than was told, it would have been noticed.
fn swapped_answers_are_found(histories: Vec<TaskHistory>) {
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
            check::<TaskModel>(Life::default(), &history).is_err(),
            "{}",
            told(&history)
        );
        swapped += 1;
    }
    assert!(swapped > 0, "some task was changed twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_service_on_sqlite_that_is_killed_again_and_again() {
    let mut game = Game::start([Database::sqlite()]).await;
    while !game.is_over() {
        game.wait_for_progress(100).await;
        game.kill_instance(0).await;
    }
    game.wait_for_progress(100).await;
    game.finish().await;
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

/// What PostgreSQL says when it has done what an instance asked for.
const REPLIES: [&[u8]; 4] = [b"UPDATE 1", b"INSERT 0 1", b"DELETE 1", b"COMMIT"];

async fn happens(fault: Fault, server: &PostgresServer, proxy: &FaultProxy, game: &mut Game) {
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
            // The outage itself.
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1_000..2_000))).await;
            server.thaw();
        }
        Fault::InstanceIsKilled => game.kill_instance(fastrand::usize(..2)).await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_services_on_a_postgres_with_every_fault() {
    let server = PostgresServer::start().expect("a server");
    let url = server.url("postgres");
    let proxy = FaultProxy::start(&url).await;
    let mut game = Game::start([Database::at(&url), Database::at(&proxy.url(&url))]).await;
    while !game.is_over() {
        let mut faults = FAULTS;
        fastrand::shuffle(&mut faults);
        for fault in faults {
            game.wait_for_progress(100).await;
            happens(fault, &server, &proxy, &mut game).await;
        }
    }
    game.wait_for_progress(100).await;
    game.finish().await;
}
