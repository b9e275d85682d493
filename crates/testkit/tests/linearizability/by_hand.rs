//! Short histories, good and bad.

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
fn what_is_done_in_turn_is_explained() {
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
fn what_runs_at_once_may_have_been_in_any_order() {
    explained([
        seen([2, 9], TOGGLE, shown("first", false, 3)),
        seen([3, 8], TOGGLE, shown("first", true, 2)),
        seen([4, 5], Action::Read, shown("first", false, 1)),
        seen([6, 7], Action::Read, shown("first", false, 3)),
    ]);
}

#[test]
fn a_lost_update_is_found() {
    // Both had the same version before them.
    unexplained([
        seen([2, 5], entitle("one", Some(1)), shown("one", false, 2)),
        seen([3, 4], entitle("two", Some(1)), shown("two", false, 2)),
    ]);
    // The first has left nothing behind.
    unexplained([
        seen([2, 3], TOGGLE, shown("first", true, 2)),
        seen([4, 5], entitle("two", None), shown("two", false, 3)),
    ]);
    // It was told as done, and was not.
    unexplained([
        seen([2, 3], TOGGLE, shown("first", true, 2)),
        seen([4, 5], Action::Read, shown("first", false, 1)),
    ]);
}

#[test]
fn a_stale_read_is_found() {
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
        // The change is under way, but somebody has seen it already.
        let early = seen([4, 5], Action::Read, shown("first", true, 2));
        unexplained([change, early, read([6, 7])]);
    }
}

#[test]
fn a_double_toggle_is_found() {
    unexplained([seen([2, 3], TOGGLE, shown("first", false, 3))]);
    // Its answer was lost: it may have happened once, or never, and not twice.
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
fn a_resurrected_task_is_found() {
    unexplained([
        seen([2, 3], DELETE, Outcome::Deleted),
        seen([4, 5], Action::Read, shown("first", false, 1)),
    ]);
    unexplained([
        seen([2, 3], Action::Read, Outcome::Missing),
        seen([4, 5], TOGGLE, shown("first", true, 2)),
        lost(1, DELETE),
    ]);
    // Two cannot both have deleted it, of which one did not.
    unexplained([
        seen([2, 5], DELETE, Outcome::Deleted),
        seen([3, 4], DELETE, Outcome::Deleted),
    ]);
}

#[test]
fn a_condition_that_was_wrongly_judged_is_found() {
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
    // The loser is shown a task that never was.
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
fn what_was_never_answered_may_happen_long_after_its_call_but_not_before_it() {
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
    // Never answered, and stale from then on.
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
fn a_violation_tells_where_the_explanation_ends() {
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
