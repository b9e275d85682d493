//! Benchmarks of the domain: parsing texts, creating and changing tasks, folding texts for a search.

#![expect(clippy::expect_used, reason = "the inputs are valid")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use taskhold_domain::input::{Member, TaskInput};
use taskhold_domain::search::fold;
use taskhold_domain::task::{Description, Task, TaskChange, TaskId, Title};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use uuid::Uuid;

const USUAL_TITLE: &str = "Buy milk and bread";
const USUAL_DESCRIPTION: &str =
    "Two litres of milk, and the dark bread from the baker at the station.";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    texts(&mut criterion);
    inputs(&mut criterion);
    changes(&mut criterion);
    folding(&mut criterion);
    criterion.final_summary();
}

/// Returns a text of `chars` code points of two bytes each.
fn longest(chars: usize) -> String {
    "Ä".repeat(chars)
}

fn input(title: &str, description: &str) -> TaskInput {
    TaskInput {
        title: Member::Given(title.to_owned()),
        description: Member::Given(description.to_owned()),
        ..TaskInput::default()
    }
}

fn now(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).expect("a time")
}

fn task() -> Task {
    let owner = UserId::parse("anna").expect("a user id");
    let draft = input(USUAL_TITLE, USUAL_DESCRIPTION).into_draft();
    let id = TaskId::from_uuid(Uuid::from_u128(1));
    Task::create(id, owner, draft.expect("valid"), now(1))
}

fn texts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let (title, description) = (longest(Title::MAX_CHARS), longest(Description::MAX_CHARS));
    for (length, text) in [("usual", USUAL_TITLE), ("longest", &title)] {
        group.bench_function(format!("title/{length}"), |bencher| {
            let text = || text.to_owned();
            bencher.iter_batched(text, Title::parse, BatchSize::SmallInput);
        });
    }
    for (length, text) in [("usual", USUAL_DESCRIPTION), ("longest", &description)] {
        group.bench_function(format!("description/{length}"), |bencher| {
            let text = || text.to_owned();
            bencher.iter_batched(text, Description::parse, BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn inputs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("input");
    let (title, description) = (longest(Title::MAX_CHARS), longest(Description::MAX_CHARS));
    let lengths = [
        ("usual", USUAL_TITLE, USUAL_DESCRIPTION),
        ("longest", &title, &description),
    ];
    for (length, title, description) in lengths {
        let input = || input(title, description);
        group.bench_function(format!("draft/{length}"), |bencher| {
            bencher.iter_batched(input, TaskInput::into_draft, BatchSize::SmallInput);
        });
        group.bench_function(format!("merge patch/{length}"), |bencher| {
            bencher.iter_batched(input, TaskInput::into_patch, BatchSize::SmallInput);
        });
    }
    // Every rule is broken, so that every message is built.
    let broken = || TaskInput {
        completed: Member::WrongType,
        ..input("", &longest(Description::MAX_CHARS + 1))
    };
    group.bench_function("draft/broken", |bencher| {
        bencher.iter_batched(broken, TaskInput::into_draft, BatchSize::SmallInput);
    });
    group.finish();
}

fn changes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("task");
    group.bench_function("create", |bencher| {
        let parts = || {
            let Task { id, owner, .. } = task();
            let draft = input(USUAL_TITLE, USUAL_DESCRIPTION).into_draft();
            (id, owner, draft.expect("valid"))
        };
        bencher.iter_batched(
            parts,
            |(id, owner, draft)| Task::create(id, owner, draft, now(1)),
            BatchSize::SmallInput,
        );
    });
    let update = input(USUAL_TITLE, USUAL_DESCRIPTION).into_update();
    let changes = [
        ("toggle", TaskChange::toggle()),
        ("update", update.expect("valid")),
    ];
    for (name, change) in changes {
        group.bench_function(format!("apply/{name}"), |bencher| {
            bencher.iter_batched_ref(
                task,
                |task| task.apply(black_box(&change), now(2)),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn folding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fold");
    let longest = longest(Description::MAX_CHARS);
    for (length, text) in [("usual", USUAL_DESCRIPTION), ("longest", &longest)] {
        group.bench_function(length, |bencher| bencher.iter(|| fold(black_box(text))));
    }
    group.finish();
}
