//! The obligations of single tasks.

use futures_util::future::join_all;
use taskhold_domain::task::{
    Completion, Description, Details, Revision, Task, TaskChange, TaskDraft, Version,
};
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::Precondition;

use super::Ports;
use super::fixtures::{
    add_task, at, description, details_changes, find_task, id, list_tasks, remove_user, task,
    title, try_add, try_change, try_remove, user,
};

/// Checks that every field is stored unchanged, in any script.
pub async fn added_task_is_read_back_unchanged(store: &Ports) {
    let draft = TaskDraft {
        title: title(" \tпривет 😀 e\u{301} שלום\r\n "),
        description: description(&"\u{10FFFF}".repeat(500)),
        completed: true,
        details: Details::default(),
    };
    let unusual = Task::create(id(u128::MAX), user("пользователь 1"), draft, at(1));
    let unusual = add_task(store, unusual).await;
    assert_eq!(find_task(store, &unusual).await, Some(unusual));
    let early = Task {
        created_at: Timestamp::from_micros(-1).expect("in range"),
        updated_at: Timestamp::LAST,
        version: Version::parse(i64::MAX).expect("a version"),
        ..task("alice", 0)
    };
    let early = add_task(store, early).await;
    assert_eq!(find_task(store, &early).await, Some(early));
}

/// Checks that absent tasks and users yield `None`, `false` and empty lists.
pub async fn absent_task_is_not_an_error(store: &Ports) {
    let absent = task("alice", 1);
    assert_eq!(find_task(store, &absent).await, None);
    let tasks = &store.tasks;
    assert_eq!(list_tasks(store, &absent.owner).await, []);
    let toggle = TaskChange::toggle();
    let changed = try_change(
        store,
        &absent.owner,
        absent.id,
        &toggle,
        &Precondition::None,
        at(1),
    )
    .await;
    assert_eq!(changed.expect("answered"), None);
    assert!(
        !try_remove(store, &absent.owner, absent.id, &Precondition::None)
            .await
            .expect("answered")
    );
    assert!(
        !tasks
            .belongs_to_another(&absent.owner, absent.id)
            .await
            .expect("answered")
    );
    assert_eq!(
        store.users.find(&absent.owner).await.expect("answered"),
        None
    );
    assert!(!remove_user(store, "alice").await);
}

/// Checks the order by `created_at`, then by id, both descending; a change does not move a task.
pub async fn list_is_newest_first_with_ties_broken_by_id(store: &Ports) {
    for (number, micros) in [(5, 10), (9, 20), (1, 20), (7, 20), (3, 30)] {
        let created = Task {
            created_at: at(micros),
            updated_at: at(micros),
            ..task("alice", number)
        };
        add_task(store, created).await;
    }
    let change = TaskChange::complete(true);
    let alice = user("alice");
    try_change(store, &alice, id(5), &change, &Precondition::None, at(99))
        .await
        .expect("changed");
    let listed = list_tasks(store, &alice).await;
    let order: Vec<_> = listed.iter().map(|task| task.id).collect();
    assert_eq!(order, [id(3), id(9), id(7), id(1), id(5)]);
}

/// Checks that other users' tasks are not listed.
pub async fn list_holds_only_the_owners_tasks(store: &Ports) {
    let hers = add_task(store, task("alice", 1)).await;
    let his = add_task(store, task("bob", 2)).await;
    assert_eq!(list_tasks(store, &hers.owner).await, [hers]);
    assert_eq!(list_tasks(store, &his.owner).await, [his]);
    assert_eq!(list_tasks(store, &user("carol")).await, []);
}

/// Checks that knowing the id does not help, and that the task stays unchanged.
pub async fn another_users_task_cannot_be_read_changed_or_removed(store: &Ports) {
    let hers = add_task(store, task("alice", 1)).await;
    let bob = user("bob");
    let tasks = &store.tasks;
    assert_eq!(tasks.find(&bob, hers.id).await.expect("answered"), None);
    for precondition in [
        Precondition::None,
        Precondition::RevisionIn(vec![hers.revision()]),
    ] {
        let changed = try_change(
            store,
            &bob,
            hers.id,
            &TaskChange::toggle(),
            &precondition,
            at(1),
        )
        .await;
        assert_eq!(changed.expect("answered"), None);
        assert!(
            !try_remove(store, &bob, hers.id, &precondition)
                .await
                .expect("answered")
        );
    }
    assert!(
        tasks
            .belongs_to_another(&bob, hers.id)
            .await
            .expect("answered")
    );
    assert!(
        !tasks
            .belongs_to_another(&hers.owner, hers.id)
            .await
            .expect("answered")
    );
    assert_eq!(find_task(store, &hers).await, Some(hers));
}

/// Checks that case, spaces and normal forms distinguish users.
pub async fn user_ids_are_compared_exactly(store: &Ports) {
    let names = ["anna", "Anna", "anna ", " anna", "ann\u{e4}", "anna\u{308}"];
    for (number, name) in (1..).zip(names) {
        add_task(store, task(name, number)).await;
    }
    for name in names {
        let listed = list_tasks(store, &user(name)).await;
        let owners: Vec<_> = listed.iter().map(|task| task.owner.as_str()).collect();
        assert_eq!(owners, [name]);
    }
}

/// Checks that the store changes a row as [`Task::apply`] changes a task.
pub async fn stored_change_equals_the_domain_change(store: &Ports) {
    let mut expected = add_task(store, task("alice", 1)).await;
    let bystander = add_task(store, task("alice", 2)).await;
    let changes = [
        TaskChange::update(title("Buy oat milk"), Description::default()),
        TaskChange::complete(true),
        TaskChange::complete(true),
        TaskChange::toggle(),
        TaskChange::toggle(),
        TaskChange::complete(false),
        TaskChange::default(),
        TaskChange {
            title: Some(title("%_'\"\\ 😀")),
            ..TaskChange::default()
        },
        TaskChange {
            description: Some(description("only this")),
            completion: Some(Completion::Toggle),
            ..TaskChange::default()
        },
        TaskChange {
            completion: Some(Completion::Set(false)),
            ..TaskChange::update(title("all"), description("of it"))
        },
    ];
    for (step, change) in (1..).zip(changes.into_iter().chain(details_changes())) {
        let now = at(step * 1000);
        let answer = try_change(
            store,
            &expected.owner,
            expected.id,
            &change,
            &Precondition::None,
            now,
        )
        .await
        .expect("answered");
        expected.apply(&change, now);
        assert_eq!(answer.as_ref(), Some(&expected), "{change:?}");
        assert_eq!(
            find_task(store, &expected).await.as_ref(),
            Some(&expected),
            "{change:?}"
        );
    }
    assert_eq!(find_task(store, &bystander).await, Some(bystander));
}

/// Checks a clock that stands still and one that is set back.
pub async fn updated_at_advances_when_the_clock_stands_still(store: &Ports) {
    let mut expected = add_task(store, task("alice", 1)).await;
    for (now, updated_at) in [(0, 1), (0, 2), (-5000, 3), (3, 4), (5, 5)] {
        let change = TaskChange::complete(true);
        let changed = try_change(
            store,
            &expected.owner,
            expected.id,
            &change,
            &Precondition::None,
            at(now),
        )
        .await
        .expect("answered");
        expected.apply(&change, at(now));
        assert_eq!(expected.updated_at, at(updated_at));
        assert_eq!(changed.as_ref(), Some(&expected));
    }
}

/// Checks that a stale change has no effect, and that one which lists the current revision applies.
pub async fn stale_change_loses(store: &Ports) {
    let before = add_task(store, task("alice", 1)).await;
    let change = TaskChange::toggle();
    let based_on = |revisions: &[Revision]| Precondition::RevisionIn(revisions.to_vec());
    let first = before.revision();
    let another_version = Revision {
        version: first.version.next(),
        ..first
    };
    // A task that was restored reaches the version of a state that was lost, at another time.
    let another_time = Revision {
        updated_at: at(7),
        ..first
    };
    let stale = [another_version, another_time];

    for stale in [&stale[..1], &stale[1..], &stale] {
        let changed = try_change(
            store,
            &before.owner,
            before.id,
            &change,
            &based_on(stale),
            at(1),
        )
        .await;
        assert_eq!(changed.expect("answered"), None);
        assert_eq!(find_task(store, &before).await.as_ref(), Some(&before));
    }

    let fresh = try_change(
        store,
        &before.owner,
        before.id,
        &change,
        &based_on(&[another_version, first]),
        at(1),
    )
    .await;
    assert_eq!(
        fresh.expect("answered").map(|task| task.version),
        Some(another_version.version)
    );
}

/// Checks that an empty list of revisions differs from no precondition.
pub async fn empty_revision_list_never_matches(store: &Ports) {
    let before = add_task(store, task("alice", 1)).await;
    let never = Precondition::RevisionIn(Vec::new());
    let changed = try_change(
        store,
        &before.owner,
        before.id,
        &TaskChange::toggle(),
        &never,
        at(1),
    )
    .await;
    assert_eq!(changed.expect("answered"), None);
    assert!(
        !try_remove(store, &before.owner, before.id, &never)
            .await
            .expect("answered")
    );
    assert_eq!(find_task(store, &before).await, Some(before));
}

/// Checks that a stale removal has no effect.
pub async fn stale_removal_loses(store: &Ports) {
    let before = add_task(store, task("alice", 1)).await;
    let stale = Precondition::RevisionIn(vec![Revision {
        version: before.version.next(),
        ..before.revision()
    }]);
    assert!(
        !try_remove(store, &before.owner, before.id, &stale)
            .await
            .expect("answered")
    );
    assert_eq!(find_task(store, &before).await.as_ref(), Some(&before));
    let fresh = Precondition::RevisionIn(vec![before.revision()]);
    assert!(
        try_remove(store, &before.owner, before.id, &fresh)
            .await
            .expect("answered")
    );
    assert_eq!(find_task(store, &before).await, None);
}

/// Checks that the first removal removes one task only.
pub async fn second_removal_finds_nothing(store: &Ports) {
    let removed = add_task(store, task("alice", 1)).await;
    let stays = add_task(store, task("alice", 2)).await;
    assert!(
        try_remove(store, &removed.owner, removed.id, &Precondition::None)
            .await
            .expect("answered")
    );
    assert!(
        !try_remove(store, &removed.owner, removed.id, &Precondition::None)
            .await
            .expect("answered")
    );
    assert_eq!(list_tasks(store, &removed.owner).await, [stays]);
}

/// Checks that an existing task stays unchanged, whether the same user or another owns it.
pub async fn duplicate_id_is_refused(store: &Ports) {
    let first = add_task(store, task("alice", 1)).await;
    add_task(store, task("bob", 2)).await;
    for owner in ["alice", "bob", "a stranger"] {
        let again = Task {
            title: title("another"),
            ..task(owner, 1)
        };
        let refused = try_add(store, &again).await;
        assert!(
            matches!(refused, Err(StoreError::Duplicate)),
            "{owner}: {refused:?}"
        );
    }
    assert_eq!(find_task(store, &first).await, Some(first));
}

/// Checks that no change based on the same revision is lost.
pub async fn concurrent_changes_of_one_revision_have_one_winner(store: &Ports) {
    let before = add_task(store, task("alice", 1)).await;
    let precondition = Precondition::RevisionIn(vec![before.revision()]);
    let change = TaskChange::toggle();
    let attempts = (0..8).map(|_| {
        try_change(
            store,
            &before.owner,
            before.id,
            &change,
            &precondition,
            at(1),
        )
    });
    let outcomes = join_all(attempts).await;
    let winners = outcomes
        .into_iter()
        .filter(|outcome| outcome.as_ref().expect("answered").is_some())
        .count();
    assert_eq!(winners, 1);
    let after = find_task(store, &before).await.expect("still there");
    assert_eq!(after.version, before.version.next());
}

/// Checks that each toggle applies and returns its own state.
pub async fn concurrent_toggles_are_all_applied(store: &Ports) {
    let before = add_task(store, task("alice", 1)).await;
    let change = TaskChange::toggle();
    let toggles = (0..33).map(|_| {
        try_change(
            store,
            &before.owner,
            before.id,
            &change,
            &Precondition::None,
            at(1),
        )
    });
    let mut seen: Vec<_> = join_all(toggles)
        .await
        .into_iter()
        .map(|outcome| outcome.expect("answered").expect("found"))
        .map(|task| (task.version, task.completed, task.updated_at))
        .collect();
    seen.sort_unstable();
    let mut expected = before.clone();
    for state in seen {
        expected.apply(&change, at(1));
        assert_eq!(
            state,
            (expected.version, expected.completed, expected.updated_at)
        );
    }
    assert_eq!(find_task(store, &before).await, Some(expected));
}
