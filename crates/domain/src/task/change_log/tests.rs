//! The properties of changes and their inverses.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::task::{Completion, Description, Details, Position, TaskDraft, Title, Version};
use crate::user::UserId;

fn task(title: &str, description: &str, completed: bool) -> Task {
    let draft = TaskDraft {
        title: Title::parse(title).unwrap(),
        description: Description::parse(description).unwrap(),
        completed,
        details: Details::default(),
    };
    let owner = UserId::parse("anna").unwrap();
    let now = Timestamp::from_micros(1).unwrap();
    Task::create(TaskId::from_uuid(Uuid::nil()), owner, draft, now)
}

fn changes() -> impl Strategy<Value = TaskChange> {
    let completion = prop_oneof![
        Just(Completion::Toggle),
        any::<bool>().prop_map(Completion::Set)
    ];
    (
        proptest::option::of("[ab]{1,2}"),
        proptest::option::of("[ab]{0,2}"),
        proptest::option::of(completion),
        proptest::option::of("[VW]"),
    )
        .prop_map(|(title, description, completion, position)| TaskChange {
            title: title.map(|title| Title::parse(title).unwrap()),
            description: description.map(|text| Description::parse(text).unwrap()),
            completion,
            position: position.map(|text| Position::parse(text).unwrap()),
            ..TaskChange::default()
        })
}

proptest! {
    #[test]
    fn inverse_restores_every_field(change in changes(), completed: bool) {
        let before = task("a", "b", completed);
        let now = Timestamp::from_micros(2).unwrap();
        let mut after = before.clone();
        after.apply(&change, now);
        let overwritten = change.overwrites(&before);
        // Only what changed is kept.
        prop_assert_eq!(overwritten.title.is_some(), after.title != before.title);
        prop_assert_eq!(overwritten.completed.is_some(), after.completed != before.completed);

        let mut undone = after.clone();
        undone.apply(&change.inverse(&before), now);
        prop_assert_eq!(FieldValues::of(&undone), FieldValues::of(&before));
        prop_assert_eq!(undone.version, Version::parse(3).unwrap());

        // Undoing the undo is a redo.
        let mut redone = undone.clone();
        redone.apply(&change.inverse(&before).inverse(&after), now);
        prop_assert_eq!(FieldValues::of(&redone), FieldValues::of(&after));
    }

    #[test]
    fn replaced_values_can_be_put_back(first in changes(), second in changes()) {
        let original = FieldValues::of(&task("a", "", false));
        let mut values = original.clone();
        let set = first.overwrites(&task("b", "b", true));
        let old = values.replace(&set);
        prop_assert!(set == FieldValues::default() || old.overlaps(&set));
        _ = values.replace(&old);
        prop_assert_eq!(values, original);
        let other = second.overwrites(&task("b", "b", true));
        prop_assert_eq!(set.overlaps(&other), other.overlaps(&set));
    }
}

#[test]
fn kinds_follow_from_what_is_set() {
    let title = Title::parse("a").unwrap();
    let update = TaskChange::update(title, Description::default());
    assert_eq!(update.kind(true), ChangeKind::Updated);
    assert_eq!(TaskChange::complete(true).kind(true), ChangeKind::Completed);
    assert_eq!(TaskChange::toggle().kind(false), ChangeKind::Reopened);
    let to_end = TaskChange::move_to(Position::default());
    assert_eq!(to_end.kind(true), ChangeKind::Moved);
    let move_and_completion = TaskChange {
        position: to_end.position,
        ..TaskChange::complete(true)
    };
    assert_eq!(move_and_completion.kind(true), ChangeKind::Updated);
    assert_eq!(TaskChange::default().kind(true), ChangeKind::Updated);
    for kind in ChangeKind::ALL {
        assert_eq!(ChangeKind::parse(kind.as_str()), Ok(kind));
    }
    assert!(ChangeKind::parse("Created").is_err());
}

#[test]
fn every_change_but_a_purge_has_an_inverse() {
    let logged = |kind| LoggedChange {
        seq: ChangeSeq::ZERO.next(),
        task: TaskId::from_uuid(Uuid::nil()),
        kind,
        before: FieldValues::default(),
        next: None,
        stamp: ChangeStamp {
            at: Timestamp::FIRST,
            by: ChangeAuthor::session(),
        },
    };
    for kind in ChangeKind::ALL {
        let inverse = logged(kind).inverse();
        assert_eq!(inverse.is_none(), kind == ChangeKind::Purged, "{kind:?}");
    }
    assert_eq!(logged(ChangeKind::Created).inverse(), Some(Inverse::Delete));
    assert_eq!(
        logged(ChangeKind::Deleted).inverse(),
        Some(Inverse::Restore)
    );
    assert!(ChangeSeq::parse(-1).is_err());
}
