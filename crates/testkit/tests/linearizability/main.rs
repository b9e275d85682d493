//! The linearizability checker detects violations and accepts valid histories.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod by_hand;
mod random;

use taskhold_testkit::linearizability::task::{
    Action, Change, Outcome, Shown, TaskModel, TaskState,
};
use taskhold_testkit::linearizability::{Operation, Violation, check};

type TaskOperation = Operation<Action, Outcome>;

fn check_history(history: &[TaskOperation]) -> Result<(), Violation> {
    check::<TaskModel>(TaskState::default(), history)
}

/// Returns an operation that was called and answered at these moments.
fn answered(moments: [u64; 2], action: Action, outcome: Outcome) -> TaskOperation {
    Operation {
        action,
        called: moments[0],
        answered: Some((moments[1], outcome)),
    }
}

/// Returns an operation that was never answered.
fn unanswered(called: u64, action: Action) -> TaskOperation {
    Operation {
        action,
        called,
        answered: None,
    }
}

/// Returns the creation that every history here starts with, from moment 0 to 1.
fn created() -> TaskOperation {
    let title = "first".to_owned();
    answered(
        [0, 1],
        Action::Create { title },
        task_shown("first", false, 1),
    )
}

fn task_view(title: &str, completed: bool, version: u64) -> Shown {
    Shown {
        title: title.to_owned(),
        completed,
        version,
    }
}

fn task_shown(title: &str, completed: bool, version: u64) -> Outcome {
    Outcome::Shown(task_view(title, completed, version))
}

fn set_title(title: &str, if_match: Option<u64>) -> Action {
    Action::Change {
        change: Change::Title(title.to_owned()),
        if_match,
    }
}
