//! The obligations of tasks, one by one.

use futures_util::future::join_all;
use taskhold_domain::task::{Completion, Description, Task, TaskChange, TaskDraft, Version};
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::Precondition;

use super::{Ports, all, at, description, found, id, kept, removed, task, title, user};

/// Every field survives to the letter, in any script.
pub async fn a_task_comes_back_as_it_was_kept(store: &Ports) {
    let draft = TaskDraft {
        title: title(" \tпривет 😀 e\u{301} שלום\r\n "),
        description: description(&"\u{10FFFF}".repeat(500)),
        completed: true,
    };
    let unusual = Task::create(id(u128::MAX), user("пользователь 1"), draft, at(1));
    let unusual = kept(store, unusual).await;
    assert_eq!(found(store, &unusual).await, Some(unusual));
    let early = Task {
        created_at: Timestamp::from_micros(-1).expect("in range"),
        updated_at: Timestamp::LAST,
        version: Version::parse(i64::MAX).expect("a version"),
        ..task("alice", 0)
    };
    let early = kept(store, early).await;
    assert_eq!(found(store, &early).await, Some(early));
}

/// Absent is `None`, `false`, empty.
pub async fn what_is_not_there_is_no_error(store: &Ports) {
    let absent = task("alice", 1);
    assert_eq!(found(store, &absent).await, None);
    let tasks = &store.tasks;
    assert_eq!(all(store, &absent.owner).await, []);
    let toggle = TaskChange::toggle();
    let changed = tasks
        .change(
            &absent.owner,
            absent.id,
            &toggle,
            &Precondition::None,
            at(1),
        )
        .await;
    assert_eq!(changed.expect("answered"), None);
    assert!(
        !tasks
            .remove(&absent.owner, absent.id, &Precondition::None)
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
    assert!(!removed(store, "alice").await);
}

/// By `created_at`, then by id, both descending; a change does not move a task.
pub async fn the_list_is_newest_first_and_ties_are_broken_by_id(store: &Ports) {
    for (number, micros) in [(5, 10), (9, 20), (1, 20), (7, 20), (3, 30)] {
        let created = Task {
            created_at: at(micros),
            updated_at: at(micros),
            ..task("alice", number)
        };
        kept(store, created).await;
    }
    let change = TaskChange::complete(true);
    let alice = user("alice");
    store
        .tasks
        .change(&alice, id(5), &change, &Precondition::None, at(99))
        .await
        .expect("changed");
    let listed = all(store, &alice).await;
    let order: Vec<_> = listed.iter().map(|task| task.id).collect();
    assert_eq!(order, [id(3), id(9), id(7), id(1), id(5)]);
}

/// Whatever others have.
pub async fn the_list_holds_the_owners_tasks_only(store: &Ports) {
    let hers = kept(store, task("alice", 1)).await;
    let his = kept(store, task("bob", 2)).await;
    assert_eq!(all(store, &hers.owner).await, [hers]);
    assert_eq!(all(store, &his.owner).await, [his]);
    assert_eq!(all(store, &user("carol")).await, []);
}

/// Knowing its id helps nobody, and nothing about it changes.
pub async fn another_users_task_cannot_be_read_changed_or_removed(store: &Ports) {
    let hers = kept(store, task("alice", 1)).await;
    let bob = user("bob");
    let tasks = &store.tasks;
    assert_eq!(tasks.find(&bob, hers.id).await.expect("answered"), None);
    for precondition in [
        Precondition::None,
        Precondition::VersionIn(vec![hers.version]),
    ] {
        let changed = tasks
            .change(&bob, hers.id, &TaskChange::toggle(), &precondition, at(1))
            .await;
        assert_eq!(changed.expect("answered"), None);
        assert!(
            !tasks
                .remove(&bob, hers.id, &precondition)
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
    assert_eq!(found(store, &hers).await, Some(hers));
}

/// Neither case nor spaces nor normal forms are folded.
pub async fn user_ids_are_compared_to_the_letter(store: &Ports) {
    let names = ["anna", "Anna", "anna ", " anna", "ann\u{e4}", "anna\u{308}"];
    for (number, name) in (1..).zip(names) {
        kept(store, task(name, number)).await;
    }
    for name in names {
        let listed = all(store, &user(name)).await;
        let owners: Vec<_> = listed.iter().map(|task| task.owner.as_str()).collect();
        assert_eq!(owners, [name]);
    }
}

/// What the store does to a row is what [`Task::apply`] does to a task.
pub async fn every_change_agrees_with_the_domain(store: &Ports) {
    let mut expected = kept(store, task("alice", 1)).await;
    let bystander = kept(store, task("alice", 2)).await;
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
    for (step, change) in (1..).zip(&changes) {
        let now = at(step * 1000);
        let answer = store
            .tasks
            .change(
                &expected.owner,
                expected.id,
                change,
                &Precondition::None,
                now,
            )
            .await
            .expect("answered");
        expected.apply(change, now);
        assert_eq!(answer.as_ref(), Some(&expected), "{change:?}");
        assert_eq!(
            found(store, &expected).await.as_ref(),
            Some(&expected),
            "{change:?}"
        );
    }
    assert_eq!(found(store, &bystander).await, Some(bystander));
}

/// It stands still, or was set back.
pub async fn updated_at_advances_also_when_the_clock_does_not(store: &Ports) {
    let mut expected = kept(store, task("alice", 1)).await;
    for (now, updated_at) in [(0, 1), (0, 2), (-5000, 3), (3, 4), (5, 5)] {
        let change = TaskChange::complete(true);
        let changed = store
            .tasks
            .change(
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

/// It changes nothing; one that names the current version among others is made.
pub async fn a_stale_change_loses(store: &Ports) {
    let before = kept(store, task("alice", 1)).await;
    let change = TaskChange::toggle();
    let based_on = |versions: &[Version]| Precondition::VersionIn(versions.to_vec());
    let tasks = &store.tasks;
    let (first, second) = (before.version, before.version.next());

    let stale = tasks
        .change(
            &before.owner,
            before.id,
            &change,
            &based_on(&[second]),
            at(1),
        )
        .await;
    assert_eq!(stale.expect("answered"), None);
    assert_eq!(found(store, &before).await.as_ref(), Some(&before));

    let fresh = tasks
        .change(
            &before.owner,
            before.id,
            &change,
            &based_on(&[second, first]),
            at(1),
        )
        .await;
    assert_eq!(
        fresh.expect("answered").map(|task| task.version),
        Some(second)
    );
}

/// It is not the same as no precondition.
pub async fn no_version_at_all_never_matches(store: &Ports) {
    let before = kept(store, task("alice", 1)).await;
    let never = Precondition::VersionIn(Vec::new());
    let tasks = &store.tasks;
    let changed = tasks
        .change(
            &before.owner,
            before.id,
            &TaskChange::toggle(),
            &never,
            at(1),
        )
        .await;
    assert_eq!(changed.expect("answered"), None);
    assert!(
        !tasks
            .remove(&before.owner, before.id, &never)
            .await
            .expect("answered")
    );
    assert_eq!(found(store, &before).await, Some(before));
}

/// It removes nothing.
pub async fn a_stale_removal_loses(store: &Ports) {
    let before = kept(store, task("alice", 1)).await;
    let stale = Precondition::VersionIn(vec![before.version.next()]);
    assert!(
        !store
            .tasks
            .remove(&before.owner, before.id, &stale)
            .await
            .expect("answered")
    );
    assert_eq!(found(store, &before).await.as_ref(), Some(&before));
    let fresh = Precondition::VersionIn(vec![before.version]);
    assert!(
        store
            .tasks
            .remove(&before.owner, before.id, &fresh)
            .await
            .expect("answered")
    );
    assert_eq!(found(store, &before).await, None);
}

/// And the first takes one task only.
pub async fn a_second_removal_finds_nothing(store: &Ports) {
    let gone = kept(store, task("alice", 1)).await;
    let stays = kept(store, task("alice", 2)).await;
    let tasks = &store.tasks;
    assert!(
        tasks
            .remove(&gone.owner, gone.id, &Precondition::None)
            .await
            .expect("answered")
    );
    assert!(
        !tasks
            .remove(&gone.owner, gone.id, &Precondition::None)
            .await
            .expect("answered")
    );
    assert_eq!(all(store, &gone.owner).await, [stays]);
}

/// Whosever the task is; the one that is there stays as it is.
pub async fn an_id_is_taken_once(store: &Ports) {
    let first = kept(store, task("alice", 1)).await;
    kept(store, task("bob", 2)).await;
    for owner in ["alice", "bob", "a stranger"] {
        let again = Task {
            title: title("another"),
            ..task(owner, 1)
        };
        let refused = store.tasks.add(&again).await;
        assert!(
            matches!(refused, Err(StoreError::Duplicate)),
            "{owner}: {refused:?}"
        );
    }
    assert_eq!(found(store, &first).await, Some(first));
}

/// No change is lost under another that was based on the same reading.
pub async fn of_two_changes_of_one_version_exactly_one_wins(store: &Ports) {
    let before = kept(store, task("alice", 1)).await;
    let precondition = Precondition::VersionIn(vec![before.version]);
    let change = TaskChange::toggle();
    let attempts = (0..8).map(|_| {
        store
            .tasks
            .change(&before.owner, before.id, &change, &precondition, at(1))
    });
    let outcomes = join_all(attempts).await;
    let winners = outcomes
        .into_iter()
        .filter(|outcome| outcome.as_ref().expect("answered").is_some())
        .count();
    assert_eq!(winners, 1);
    let after = found(store, &before).await.expect("still there");
    assert_eq!(after.version, before.version.next());
}

/// Each counts, and each answer is a state of its own.
pub async fn concurrent_toggles_are_all_made(store: &Ports) {
    let before = kept(store, task("alice", 1)).await;
    let change = TaskChange::toggle();
    let toggles = (0..33).map(|_| {
        store.tasks.change(
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
    assert_eq!(found(store, &before).await, Some(expected));
}
