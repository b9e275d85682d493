//! Short histories, linearizable and not.

use taskhold_testkit::linearizability::task::{Action, Change, Outcome};

use super::{OfTask, created, entitle, judge, lost, seen, shown, task};

const TOGGLE: Action = Action::Change {
    change: Change::Toggle,
    if_match: None,
};
const DELETE: Action = Action::Delete { if_match: None };

#[track_caller]
fn explained(history: impl IntoIterator<Item = OfTask>) {
    let history: Vec<_> = [created()].into_iter().chain(history).collect();
    if let Err(violation) = judge(&history) {
        panic!("{violation}");
    }
}

#[track_caller]
fn unexplained(history: impl IntoIterator<Item = OfTask>) {
    let history: Vec<_> = [created()].into_iter().chain(history).collect();
    assert!(judge(&history).is_err());
}

#[test]
fn sequential_operations_are_linearizable() {
    explained([
        seen([2, 3], TOGGLE, shown("first", true, 2)),
        seen([4, 5], entitle("other", Some(2)), shown("other", true, 3)),
        seen(
            [6, 7],
            entitle("late", Some(2)),
            Outcome::Stale(task("other", true, 3)),
        ),
        seen([8, 9], DELETE, Outcome::Deleted),
        seen([10, 11], Action::Read, Outcome::Missing),
        seen([12, 13], DELETE, Outcome::Missing),
    ]);
}

#[test]
fn concurrent_operations_may_take_any_order() {
    explained([
        seen([2, 9], TOGGLE, shown("first", false, 3)),
        seen([3, 8], TOGGLE, shown("first", true, 2)),
        seen([4, 5], Action::Read, shown("first", false, 1)),
        seen([6, 7], Action::Read, shown("first", false, 3)),
    ]);
}

#[test]
fn lost_update_is_detected() {
    // Both changes were based on the same version.
    unexplained([
        seen([2, 5], entitle("one", Some(1)), shown("one", false, 2)),
        seen([3, 4], entitle("two", Some(1)), shown("two", false, 2)),
    ]);
    // The second change overwrote the first.
    unexplained([
        seen([2, 3], TOGGLE, shown("first", true, 2)),
        seen([4, 5], entitle("two", None), shown("two", false, 3)),
    ]);
    // The acknowledged change had no effect.
    unexplained([
        seen([2, 3], TOGGLE, shown("first", true, 2)),
        seen([4, 5], Action::Read, shown("first", false, 1)),
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
        (Action::Read, shown("first", false, 1)),
        (Action::List, listed),
    ] {
        let read = |moments| seen(moments, action.clone(), outcome.clone());
        let change = seen([3, 10], TOGGLE, shown("first", true, 2));
        explained([change.clone(), read([2, 4])]);
        explained([change.clone(), read([4, 5])]);
        unexplained([change.clone(), read([11, 12])]);
        // The change is still running, but another client has already seen it.
        let early = seen([4, 5], Action::Read, shown("first", true, 2));
        unexplained([change, early, read([6, 7])]);
    }
}

#[test]
fn double_toggle_is_detected() {
    unexplained([seen([2, 3], TOGGLE, shown("first", false, 3))]);
    // The answer was lost: the toggle happened once or never, but not twice.
    for version in 1..=3 {
        let history = [
            lost(2, TOGGLE),
            seen([4, 5], Action::Read, shown("first", version == 2, version)),
        ];
        match version {
            3 => unexplained(history),
            _ => explained(history),
        }
    }
}

#[test]
fn resurrected_task_is_detected() {
    unexplained([
        seen([2, 3], DELETE, Outcome::Deleted),
        seen([4, 5], Action::Read, shown("first", false, 1)),
    ]);
    unexplained([
        seen([2, 3], Action::Read, Outcome::Missing),
        seen([4, 5], TOGGLE, shown("first", true, 2)),
        lost(1, DELETE),
    ]);
    // Only one of two deletions can succeed.
    unexplained([
        seen([2, 5], DELETE, Outcome::Deleted),
        seen([3, 4], DELETE, Outcome::Deleted),
    ]);
}

#[test]
fn wrong_precondition_result_is_detected() {
    unexplained([seen(
        [2, 3],
        entitle("new", Some(1)),
        Outcome::Stale(task("first", false, 1)),
    )]);
    unexplained([seen(
        [2, 3],
        entitle("new", Some(7)),
        shown("new", false, 2),
    )]);
    // The losing client is shown a state that never existed.
    unexplained([
        seen([2, 3], TOGGLE, shown("first", true, 2)),
        seen(
            [4, 5],
            entitle("new", Some(1)),
            Outcome::Stale(task("new", true, 2)),
        ),
    ]);
}

#[test]
fn unanswered_operation_takes_effect_after_its_call_or_never() {
    let read = |moment, completed, version| {
        seen(
            [moment, moment + 1],
            Action::Read,
            shown("first", completed, version),
        )
    };
    explained([
        lost(2, TOGGLE),
        read(4, false, 1),
        read(6, true, 2),
        read(8, true, 2),
    ]);
    unexplained([lost(6, TOGGLE), read(2, true, 2)]);
    unexplained([lost(2, TOGGLE), read(4, true, 2), read(6, false, 1)]);
    // The unanswered change is stale from here on.
    explained([
        lost(2, entitle("lost", Some(1))),
        seen([3, 4], TOGGLE, shown("first", true, 2)),
        read(6, true, 2),
    ]);
    unexplained([
        lost(2, entitle("lost", Some(1))),
        seen([3, 4], TOGGLE, shown("first", true, 2)),
        seen([5, 6], Action::Read, shown("lost", true, 3)),
    ]);
}

#[test]
fn violation_reports_the_longest_explained_prefix() {
    let violation = judge(&[
        created(),
        seen([2, 3], TOGGLE, shown("first", true, 2)),
        seen([4, 5], Action::Read, shown("first", false, 9)),
    ])
    .unwrap_err();
    assert_eq!((violation.explained, violation.next.len()), (2, 1));
    assert!(violation.state.contains("version: 2"), "{violation}");
    assert!(violation.to_string().contains("version: 9"), "{violation}");
}
