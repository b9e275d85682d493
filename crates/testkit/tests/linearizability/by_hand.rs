//! Short histories, linearizable and not.

use taskhold_testkit::linearizability::task::{Action, Change, Outcome};

use super::{
    TaskOperation, answered, check_history, created, set_title, task_shown, task_view, unanswered,
};

const TOGGLE: Action = Action::Change {
    change: Change::Toggle,
    if_match: None,
};
const DELETE: Action = Action::Delete { if_match: None };

#[track_caller]
fn assert_linearizable(history: impl IntoIterator<Item = TaskOperation>) {
    let history: Vec<_> = [created()].into_iter().chain(history).collect();
    if let Err(violation) = check_history(&history) {
        panic!("{violation}");
    }
}

#[track_caller]
fn assert_not_linearizable(history: impl IntoIterator<Item = TaskOperation>) {
    let history: Vec<_> = [created()].into_iter().chain(history).collect();
    assert!(check_history(&history).is_err());
}

#[test]
fn sequential_operations_are_linearizable() {
    assert_linearizable([
        answered([2, 3], TOGGLE, task_shown("first", true, 2)),
        answered(
            [4, 5],
            set_title("other", Some(2)),
            task_shown("other", true, 3),
        ),
        answered(
            [6, 7],
            set_title("late", Some(2)),
            Outcome::Stale(task_view("other", true, 3)),
        ),
        answered([8, 9], DELETE, Outcome::Deleted),
        answered([10, 11], Action::Read, Outcome::Missing),
        answered([12, 13], DELETE, Outcome::Missing),
    ]);
}

#[test]
fn concurrent_operations_may_take_any_order() {
    assert_linearizable([
        answered([2, 9], TOGGLE, task_shown("first", false, 3)),
        answered([3, 8], TOGGLE, task_shown("first", true, 2)),
        answered([4, 5], Action::Read, task_shown("first", false, 1)),
        answered([6, 7], Action::Read, task_shown("first", false, 3)),
    ]);
}

#[test]
fn lost_update_is_detected() {
    // Both changes were based on the same version.
    assert_not_linearizable([
        answered(
            [2, 5],
            set_title("one", Some(1)),
            task_shown("one", false, 2),
        ),
        answered(
            [3, 4],
            set_title("two", Some(1)),
            task_shown("two", false, 2),
        ),
    ]);
    // The second change overwrote the first.
    assert_not_linearizable([
        answered([2, 3], TOGGLE, task_shown("first", true, 2)),
        answered([4, 5], set_title("two", None), task_shown("two", false, 3)),
    ]);
    // The acknowledged change had no effect.
    assert_not_linearizable([
        answered([2, 3], TOGGLE, task_shown("first", true, 2)),
        answered([4, 5], Action::Read, task_shown("first", false, 1)),
    ]);
}

#[test]
fn stale_read_is_detected() {
    let title = "first".to_owned();
    let listed = Outcome::Listed {
        title,
        completed: false,
    };
    for (action, outcome) in [
        (Action::Read, task_shown("first", false, 1)),
        (Action::List, listed),
    ] {
        let read = |moments| answered(moments, action.clone(), outcome.clone());
        let change = answered([3, 10], TOGGLE, task_shown("first", true, 2));
        assert_linearizable([change.clone(), read([2, 4])]);
        assert_linearizable([change.clone(), read([4, 5])]);
        assert_not_linearizable([change.clone(), read([11, 12])]);
        // The change is still running, but another client has already seen it.
        let early = answered([4, 5], Action::Read, task_shown("first", true, 2));
        assert_not_linearizable([change, early, read([6, 7])]);
    }
}

#[test]
fn double_toggle_is_detected() {
    assert_not_linearizable([answered([2, 3], TOGGLE, task_shown("first", false, 3))]);
    // The answer was lost: the toggle happened once or never, but not twice.
    for version in 1..=3 {
        let history = [
            unanswered(2, TOGGLE),
            answered(
                [4, 5],
                Action::Read,
                task_shown("first", version == 2, version),
            ),
        ];
        match version {
            3 => assert_not_linearizable(history),
            _ => assert_linearizable(history),
        }
    }
}

#[test]
fn resurrected_task_is_detected() {
    assert_not_linearizable([
        answered([2, 3], DELETE, Outcome::Deleted),
        answered([4, 5], Action::Read, task_shown("first", false, 1)),
    ]);
    assert_not_linearizable([
        answered([2, 3], Action::Read, Outcome::Missing),
        answered([4, 5], TOGGLE, task_shown("first", true, 2)),
        unanswered(1, DELETE),
    ]);
    // Only one of two deletions can succeed.
    assert_not_linearizable([
        answered([2, 5], DELETE, Outcome::Deleted),
        answered([3, 4], DELETE, Outcome::Deleted),
    ]);
}

#[test]
fn wrong_precondition_result_is_detected() {
    assert_not_linearizable([answered(
        [2, 3],
        set_title("new", Some(1)),
        Outcome::Stale(task_view("first", false, 1)),
    )]);
    assert_not_linearizable([answered(
        [2, 3],
        set_title("new", Some(7)),
        task_shown("new", false, 2),
    )]);
    // The losing client is shown a state that never existed.
    assert_not_linearizable([
        answered([2, 3], TOGGLE, task_shown("first", true, 2)),
        answered(
            [4, 5],
            set_title("new", Some(1)),
            Outcome::Stale(task_view("new", true, 2)),
        ),
    ]);
}

#[test]
fn unanswered_operation_takes_effect_after_its_call_or_never() {
    let read = |moment, completed, version| {
        answered(
            [moment, moment + 1],
            Action::Read,
            task_shown("first", completed, version),
        )
    };
    assert_linearizable([
        unanswered(2, TOGGLE),
        read(4, false, 1),
        read(6, true, 2),
        read(8, true, 2),
    ]);
    assert_not_linearizable([unanswered(6, TOGGLE), read(2, true, 2)]);
    assert_not_linearizable([unanswered(2, TOGGLE), read(4, true, 2), read(6, false, 1)]);
    // The unanswered change is stale from here on.
    assert_linearizable([
        unanswered(2, set_title("lost", Some(1))),
        answered([3, 4], TOGGLE, task_shown("first", true, 2)),
        read(6, true, 2),
    ]);
    assert_not_linearizable([
        unanswered(2, set_title("lost", Some(1))),
        answered([3, 4], TOGGLE, task_shown("first", true, 2)),
        answered([5, 6], Action::Read, task_shown("lost", true, 3)),
    ]);
}

#[test]
fn violation_reports_the_longest_explained_prefix() {
    let violation = check_history(&[
        created(),
        answered([2, 3], TOGGLE, task_shown("first", true, 2)),
        answered([4, 5], Action::Read, task_shown("first", false, 9)),
    ])
    .unwrap_err();
    assert_eq!((violation.explained, violation.next.len()), (2, 1));
    assert!(violation.state.contains("version: 2"), "{violation}");
    assert!(violation.to_string().contains("version: 9"), "{violation}");
}
