//! The obligations of the order by hand.

#![expect(
    clippy::indexing_slicing,
    reason = "an obligation states what it expects"
)]

use std::collections::BTreeSet;

use futures_util::future::{join, join_all};
use taskhold_domain::task::change_log::{ChangeKind, FieldValues};
use taskhold_domain::task::{
    Destination, Details, DetailsChange, Due, FollowUp, Position, Repeat, Task, TaskChange, TaskId,
    Version,
};
use taskhold_domain::user::UserId;
use taskhold_domain::zone::Zone;
use taskhold_repository::idempotency::{
    Fingerprint, IdempotencyKey, IdempotentOutcome, KeyedRequest,
};
use taskhold_repository::tasks::{Precondition, Sort, SortKey, Start, TaskQuery, TaskWrite};
use taskhold_repository::written::Written;

use super::Ports;
use super::change_log::{ALL, change, changes, feed, history, remove, undone};
use super::fixtures::{add_task, at, find_task, id, list_tasks, stamp, task, user};

/// Returns the query for the order by hand.
fn by_position() -> TaskQuery {
    TaskQuery {
        sort: Sort {
            key: SortKey::Position,
            descending: false,
        },
        ..TaskQuery::default()
    }
}

async fn list(store: &Ports) -> Vec<Task> {
    let page = store.tasks.list(&user("alice"), &by_position()).await;
    page.expect("listed").tasks
}

/// Returns the numbers of the tasks in the order by hand.
async fn order(store: &Ports) -> Vec<u128> {
    let tasks = list(store).await;
    let in_order = |one: &Task, other: &Task| (&one.position, one.id) < (&other.position, other.id);
    assert!(tasks.is_sorted_by(in_order));
    tasks
        .iter()
        .map(|task| task.id.as_uuid().as_u128())
        .collect()
}

/// Adds a task of alice that was created at `micros`.
async fn add(store: &Ports, number: u128, micros: i64) -> Task {
    let created = Task {
        created_at: at(micros),
        updated_at: at(micros),
        position: Position::of_creation(at(micros)),
        ..task("alice", number)
    };
    add_task(store, created).await
}

/// Adds tasks of alice, which are then in the order of their numbers: the later, the first.
async fn add_in_order(store: &Ports, count: u128) {
    for number in 1..=count {
        let age = i64::try_from(number).expect("few") * 1_000_000;
        add(store, number, -age).await;
    }
}

async fn try_move(
    store: &Ports,
    number: u128,
    to: Destination,
    precondition: &Precondition,
    micros: i64,
) -> Option<Written<Task>> {
    let (alice, stamp) = (user("alice"), stamp(micros));
    let moved = store
        .tasks
        .move_to(&alice, id(number), to, precondition, &stamp);
    moved.await.expect("answered")
}

async fn move_to(store: &Ports, number: u128, to: Destination, micros: i64) -> Written<Task> {
    let moved = try_move(store, number, to, &Precondition::None, micros).await;
    moved.expect("moved")
}

/// Checks that a new task is before all others, whatever was moved, and that its position is that of its creation.
pub async fn new_tasks_come_first(store: &Ports) {
    for number in 1..=3 {
        let micros = i64::try_from(number).expect("few");
        let new = add(store, number, micros).await;
        let stored = find_task(store, &new).await.expect("stored");
        assert_eq!(stored.position, Position::of_creation(at(micros)));
    }
    assert_eq!(order(store).await, [3, 2, 1]);
    move_to(store, 1, Destination::Start, 10).await;
    move_to(store, 2, Destination::Start, 10).await;
    assert_eq!(order(store).await, [2, 1, 3]);
    add(store, 4, 1_000).await;
    assert_eq!(order(store).await, [4, 2, 1, 3]);
    // A clock that is behind.
    move_to(store, 3, Destination::Start, 20).await;
    add(store, 5, 2_000).await;
    assert_eq!(order(store).await, [5, 3, 4, 2, 1]);
    let newest = TaskQuery {
        sort: Sort {
            descending: true,
            ..by_position().sort
        },
        ..by_position()
    };
    let reverse = store.tasks.list(&user("alice"), &newest).await;
    let mut reverse = reverse.expect("listed").tasks;
    reverse.reverse();
    assert_eq!(reverse, list(store).await);
}

/// Checks each destination, that a move is a change of one task, and what the log tells of it.
pub async fn moved_task_is_at_its_destination(store: &Ports) {
    add_in_order(store, 5).await;
    let others = add_task(store, task("bob", 99)).await;
    for (number, to, expected) in [
        (4, Destination::Start, [4, 1, 2, 3, 5]),
        (1, Destination::End, [4, 2, 3, 5, 1]),
        (5, Destination::Before(id(2)), [4, 5, 2, 3, 1]),
        (5, Destination::After(id(2)), [4, 2, 5, 3, 1]),
        (2, Destination::Before(id(4)), [2, 4, 5, 3, 1]),
        (4, Destination::After(id(1)), [2, 5, 3, 1, 4]),
        // It is there already.
        (5, Destination::After(id(2)), [2, 5, 3, 1, 4]),
        (5, Destination::Before(id(3)), [2, 5, 3, 1, 4]),
        (2, Destination::Start, [2, 5, 3, 1, 4]),
        (4, Destination::End, [2, 5, 3, 1, 4]),
        // Next to itself.
        (3, Destination::Before(id(3)), [2, 5, 3, 1, 4]),
        (3, Destination::After(id(3)), [2, 5, 3, 1, 4]),
    ] {
        let before = list(store).await;
        let last = feed(store, &user("alice")).await.last;
        let moved = move_to(store, number, to, 7).await;
        assert_eq!(order(store).await, expected, "{number} {to:?}");
        assert_eq!(moved.seq, last.next());
        let old = before.iter().find(|task| task.id == id(number));
        let old = old.expect("the moved task");
        let mut applied = old.clone();
        applied.apply(&TaskChange::move_to(moved.outcome.position.clone()), at(7));
        assert_eq!(moved.outcome, applied);
        for task in list(store).await {
            assert!(task == moved.outcome || before.contains(&task), "{task:?}");
        }
        let logged = history(store, old).await.pop().expect("a change");
        assert_eq!(logged.kind, ChangeKind::Moved);
        let is_elsewhere = moved.outcome.position != old.position;
        let changed = FieldValues {
            position: is_elsewhere.then(|| old.position.clone()),
            ..FieldValues::default()
        };
        assert_eq!(logged.before, changed);
        let page = changes(store, &user("alice"), last.get(), ALL).await;
        let tasks: Vec<_> = page.changes.into_iter().map(|change| change.task).collect();
        assert_eq!(tasks, [Some(moved.outcome)]);
    }
    assert_eq!(find_task(store, &others).await, Some(others));
}

/// Checks that nothing happens if the task or its neighbour is missing, another user's or in the trash, or if the
/// revision of the task is not allowed.
pub async fn task_is_not_moved_next_to_what_is_not_there(store: &Ports) {
    add_in_order(store, 4).await;
    add_task(store, task("bob", 99)).await;
    remove(store, &task("alice", 4), 1).await;
    let before = list(store).await;
    let last = feed(store, &user("alice")).await.last;
    let any = &Precondition::None;
    for (number, to) in [
        (1, Destination::After(id(77))),
        (1, Destination::Before(id(99))),
        (1, Destination::After(id(4))),
        (77, Destination::Start),
        (77, Destination::After(id(77))),
        (99, Destination::End),
        (99, Destination::Before(id(1))),
        (4, Destination::Before(id(1))),
        (4, Destination::Before(id(4))),
    ] {
        assert_eq!(try_move(store, number, to, any, 1).await, None, "{to:?}");
    }
    let current = before[0].revision();
    let stale = Precondition::RevisionIn(vec![before[0].revision(), before[1].revision()]);
    let moved = move_to(store, 1, Destination::End, 2).await;
    assert_eq!(moved.seq, last.next());
    let refused = try_move(store, 1, Destination::Start, &stale, 3).await;
    assert_eq!(refused, None);
    assert_ne!(moved.outcome.revision(), current);
    let allowed = Precondition::RevisionIn(vec![moved.outcome.revision()]);
    let moved = try_move(store, 1, Destination::Start, &allowed, 4).await;
    assert_eq!(
        moved.expect("moved").outcome.version,
        Version::parse(3).expect("a version")
    );
    assert_eq!(feed(store, &user("alice")).await.last, last.next().next());
}

/// Returns numbers that look random, below `end`.
fn random(end: usize) -> impl FnMut() -> usize {
    let mut state = 1_u64;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % end
    }
}

/// Checks that random moves of tasks, some with equal positions, lead to the order of a list in memory.
pub async fn random_moves_match_the_model(store: &Ports) {
    const COUNT: usize = 8;
    for (number, micros) in (1..).zip([0, 0, 1, 1, 1, 2, 2, 2]) {
        add(store, number, micros).await;
    }
    let mut model = order(store).await;
    let mut random = random(COUNT * (COUNT + 1));
    for round in 0..150 {
        let drawn = random();
        let number = model.remove(drawn % COUNT);
        let place = drawn / COUNT % COUNT;
        let to = match (place, drawn % 2) {
            (0, _) => Destination::Start,
            (place, _) if place == model.len() => Destination::End,
            (place, 0) => Destination::Before(id(model[place])),
            (place, _) => Destination::After(id(model[place - 1])),
        };
        model.insert(place, number);
        move_to(store, number, to, round).await;
        assert_eq!(order(store).await, model, "{round}: {number} {to:?}");
    }
}

/// Checks that equal positions make room, that their tasks keep their order, and that the log tells of each.
pub async fn tasks_without_room_between_them_get_new_positions(store: &Ports) {
    for number in 1..=5 {
        add(store, number, 0).await;
    }
    let others = add_task(store, task("bob", 99)).await;
    let before = list(store).await;
    let moved = move_to(store, 5, Destination::After(id(2)), 9).await;
    assert_eq!(order(store).await, [1, 2, 5, 3, 4]);
    // A change of each task, and then the move.
    assert_eq!(moved.seq.get(), 5 + 5 + 1);
    assert_eq!(moved.outcome.version.get(), 3);
    let after = list(store).await;
    for task in &before {
        let logged = history(store, task).await;
        let first = &logged[1];
        let mut places = (1..).zip(&before);
        let place = places.find(|(_, other)| other.id == task.id);
        assert_eq!(first.seq.get(), 5 + place.expect("a place").0);
        assert_eq!(first.kind, ChangeKind::Moved);
        assert_eq!(first.before.position.as_ref(), Some(&task.position));
        let now = after.iter().find(|other| other.id == task.id);
        assert!(now.expect("kept").version > task.version);
    }
    let page = changes(store, &user("alice"), 5, ALL).await;
    assert_eq!(page.changes.len(), 5);
    add(store, 6, 100).await;
    assert_eq!(order(store).await, [6, 1, 2, 5, 3, 4]);
    // The undo of the move leads back to the same place.
    undone(store, &user("alice"), moved.seq).await;
    assert_eq!(order(store).await, [6, 1, 2, 3, 4, 5]);
    assert_eq!(find_task(store, &others).await, Some(others));
}

/// Checks that positions stay within their limit where each move is next to the previous one.
pub async fn moves_around_the_previous_one_keep_positions_short(store: &Ports) {
    add_in_order(store, 5).await;
    let (mut low, mut high, mut moved) = (2, 3, 4);
    let (mut longest, mut rewritten) = (0, 0);
    for round in 0..450 {
        let last = feed(store, &user("alice")).await.last;
        let written = move_to(store, moved, Destination::After(id(low)), round).await;
        longest = longest.max(written.outcome.position.as_str().len());
        rewritten += i64::from(written.seq != last.next());
        // The next one is moved between this one and one of its neighbours.
        let outer = if round % 2 == 0 { &mut high } else { &mut low };
        std::mem::swap(outer, &mut moved);
    }
    assert_eq!(longest, Position::MAX_LENGTH);
    assert!((1..=3).contains(&rewritten), "{rewritten}");
    let order = order(store).await;
    assert_eq!((order[0], order[4]), (1, 5));
}

/// Checks that concurrent moves lose no task and no number of the log, and lead to different positions.
pub async fn concurrent_moves_keep_every_task_and_number(store: &Ports) {
    add_in_order(store, 6).await;
    let last = feed(store, &user("alice")).await.last;
    let moves = (0..24_u32).map(|round| {
        let number = u128::from(round % 6) + 1;
        let to = match round % 4 {
            0 => Destination::Start,
            1 => Destination::After(id(u128::from(round / 4) + 1)),
            2 => Destination::Before(id(3)),
            _ => Destination::End,
        };
        move_to(store, number, to, i64::from(round))
    });
    let numbers: BTreeSet<_> = join_all(moves)
        .await
        .iter()
        .map(|moved| moved.seq)
        .collect();
    let count = i64::try_from(numbers.len()).expect("few");
    assert_eq!(count, 24);
    assert_eq!(
        feed(store, &user("alice")).await.last.get(),
        last.get() + count
    );
    let mut order = order(store).await;
    order.sort_unstable();
    assert_eq!(order, [1, 2, 3, 4, 5, 6]);
    let tasks = list(store).await;
    let positions: BTreeSet<_> = tasks.iter().map(|task| &task.position).collect();
    assert_eq!(positions.len(), 6);
}

/// Checks that other writes go on while all tasks of the owner get new positions.
pub async fn concurrent_writes_survive_new_positions(store: &Ports) {
    let mut tasks = Vec::new();
    for number in 1..=8 {
        tasks.push(add(store, number, 0).await);
    }
    let to_place = (1..=4).map(|number| move_to(store, number, Destination::After(id(6)), 1));
    let toggle = tasks
        .iter()
        .map(|task| change(store, task, TaskChange::toggle(), 2));
    let (moved, toggled) = join(join_all(to_place), join_all(toggle)).await;
    assert_eq!((moved.len(), toggled.len()), (4, 8));
    let tasks = list(store).await;
    assert!(tasks.iter().all(|task| task.completed));
    let mut order = order(store).await;
    assert_eq!((order[0], order[1], order[6], order[7]), (5, 6, 7, 8));
    order.sort_unstable();
    assert_eq!(order, [1, 2, 3, 4, 5, 6, 7, 8]);
    let last = feed(store, &user("alice")).await.last;
    let mut logged = BTreeSet::new();
    for task in &tasks {
        logged.extend(history(store, task).await.iter().map(|change| change.seq));
    }
    assert_eq!(logged.len(), usize::try_from(last.get()).expect("few"));
}

/// Checks that each task that is not moved is on one page, whatever is moved between the pages.
pub async fn paging_by_position_survives_moves(store: &Ports) {
    add_in_order(store, 30).await;
    let alice = user("alice");
    for descending in [false, true] {
        let mut query = TaskQuery {
            sort: Sort {
                key: SortKey::Position,
                descending,
            },
            limit: Some(4),
            ..TaskQuery::default()
        };
        let (mut seen, mut moved) = (Vec::new(), BTreeSet::new());
        for round in 0.. {
            let page = store.tasks.list(&alice, &query).await.expect("listed");
            seen.extend(page.tasks.iter().map(|task| task.id));
            let Some(next) = page.next else { break };
            // The task of the cursor, and one that comes later or was listed already.
            let other = id(1 + u128::from(round % 10_u32) * 3);
            for (task, to) in [
                (next.id, Destination::Start),
                (other, Destination::After(next.id)),
            ] {
                let number = task.as_uuid().as_u128();
                move_to(store, number, to, i64::from(round)).await;
                moved.insert(task);
            }
            query.start = Start::After(next);
        }
        for task in list_tasks(store, &alice).await {
            let times = seen.iter().filter(|seen| **seen == task.id).count();
            assert!(times == 1 || moved.contains(&task.id), "{}", task.id);
        }
        assert!(moved.len() < 25);
    }
}

/// Checks that the undo of a move restores the position exactly, and conflicts with a later move only.
pub async fn move_is_undone_and_redone(store: &Ports) {
    add_in_order(store, 3).await;
    let alice = user("alice");
    let new = &list(store).await[0];
    let moved = move_to(store, 1, Destination::After(id(2)), 1).await;
    change(store, new, TaskChange::toggle(), 2).await;
    let back = undone(store, &alice, moved.seq).await;
    assert_eq!(back.outcome.position, new.position);
    assert!(back.outcome.completed);
    assert_eq!(order(store).await, [1, 2, 3]);
    let again = undone(store, &alice, back.seq).await;
    assert_eq!(again.outcome.position, moved.outcome.position);
    let kinds: Vec<_> = history(store, new).await;
    let kinds: Vec<_> = kinds.iter().map(|change| change.kind).collect();
    assert_eq!(
        kinds[1..],
        [
            ChangeKind::Moved,
            ChangeKind::Completed,
            ChangeKind::Moved,
            ChangeKind::Moved
        ]
    );
    let conflict = super::change_log::undo(store, &alice, moved.seq).await;
    assert!(matches!(
        conflict,
        taskhold_repository::change_log::UndoOutcome::Conflict(_)
    ));
}

/// Checks that a move with a key is made once, and that a move that finds nothing leaves the key free.
pub async fn keyed_move_is_made_once(store: &Ports) {
    add_in_order(store, 3).await;
    let alice = user("alice");
    let request = KeyedRequest {
        key: IdempotencyKey::parse("k").expect("a key"),
        fingerprint: Fingerprint([1; 32]),
    };
    let write = async |number: u128, to: Destination| {
        let write = TaskWrite::Move {
            id: id(number),
            to,
            precondition: Precondition::None,
        };
        let stamp = stamp(3);
        let written = store
            .tasks
            .write_idempotent(&alice, &request, &write, &stamp);
        written.await.expect("answered")
    };
    let missed = write(3, Destination::After(id(77))).await;
    assert_eq!(missed, IdempotentOutcome::Missed);
    let IdempotentOutcome::Done(moved) = write(3, Destination::Start).await else {
        panic!("not done");
    };
    assert_eq!(order(store).await, [3, 1, 2]);
    move_to(store, 3, Destination::End, 4).await;
    let replayed = write(3, Destination::Start).await;
    assert_eq!(
        replayed,
        IdempotentOutcome::Replayed {
            tasks: moved.outcome,
            seq: Some(moved.seq),
            next: Vec::new(),
        }
    );
    assert_eq!(order(store).await, [1, 2, 3]);
}

/// Checks that a task comes back to where it was, and that one in the trash is no neighbour.
pub async fn position_is_kept_in_the_trash(store: &Ports) {
    add_in_order(store, 3).await;
    let alice: UserId = user("alice");
    let moved = move_to(store, 3, Destination::After(id(1)), 1)
        .await
        .outcome;
    remove(store, &moved, 2).await;
    let ids: Vec<TaskId> = list(store).await.iter().map(|task| task.id).collect();
    assert_eq!(ids, [id(1), id(2)]);
    let restored = store.trash.restore(&alice, id(3), &stamp(5)).await;
    let restored = restored.expect("answered").expect("restored").outcome;
    assert_eq!(restored.position, moved.position);
    assert_eq!(order(store).await, [1, 3, 2]);
}

/// Checks the places of a follow-up and of its own.
pub async fn follow_up_is_directly_after_its_task(store: &Ports) {
    add_in_order(store, 4).await;
    let details = Details {
        due: Some(Due::parse("2026-12-01").expect("a due date")),
        repeat: Some(Repeat::parse("FREQ=DAILY").expect("a rule")),
        ..Details::default()
    };
    let repeats = TaskChange {
        details: DetailsChange::of(&details),
        ..TaskChange::default()
    };
    let mut task = find_task(store, &list(store).await[1]).await;
    for (follow_up, expected) in [(20, vec![1, 2, 20, 3, 4]), (21, vec![1, 2, 20, 21, 3, 4])] {
        let completed = task.take().expect("a task");
        change(store, &completed, repeats.clone(), 1).await;
        let next = FollowUp {
            id: id(follow_up),
            zone: Zone::UTC,
        };
        let (done, stamp) = (TaskChange::complete(true), stamp(2));
        let written = store.tasks.change(
            &completed.owner,
            completed.id,
            &done,
            &Precondition::None,
            Some(&next),
            &stamp,
        );
        let written = written.await.expect("answered").expect("completed");
        let next = written.next.into_iter().next().expect("a follow-up");
        assert_eq!(find_task(store, &next).await, Some(next.clone()));
        assert_eq!(order(store).await, expected);
        task = Some(next);
    }
}
