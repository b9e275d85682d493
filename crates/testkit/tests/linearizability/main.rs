//! The linearizability checker detects violations and accepts valid histories.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test says what it expects"
)]

mod by_hand;
mod random;

use taskhold_testkit::linearizability::task::{Action, Change, Life, Outcome, Shown, TaskModel};
use taskhold_testkit::linearizability::{Operation, Violation, check};

type OfTask = Operation<Action, Outcome>;

fn judge(history: &[OfTask]) -> Result<(), Violation> {
    check::<TaskModel>(Life::default(), history)
}

/// Returns an operation that was called and answered at these moments.
fn seen(moments: [u64; 2], action: Action, outcome: Outcome) -> OfTask {
    Operation {
        action,
        called: moments[0],
        answered: Some((moments[1], outcome)),
    }
}

/// Returns an operation that was never answered.
fn lost(called: u64, action: Action) -> OfTask {
    Operation {
        action,
        called,
        answered: None,
    }
}

/// Returns the creation that every history here starts with, from moment 0 to 1.
fn created() -> OfTask {
    let title = "first".to_owned();
    seen([0, 1], Action::Create { title }, shown("first", false, 1))
}

fn task(title: &str, completed: bool, version: u64) -> Shown {
    Shown {
        title: title.to_owned(),
        completed,
        version,
    }
}

fn shown(title: &str, completed: bool, version: u64) -> Outcome {
    Outcome::Shown(task(title, completed, version))
}

fn entitle(title: &str, if_match: Option<u64>) -> Action {
    Action::Change {
        change: Change::Title(title.to_owned()),
        if_match,
    }
}
