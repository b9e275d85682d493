//! The obligations of lists: filters, orders, pages and counts.

mod due_dates;
mod reference;
mod varied;

use futures_util::future::join_all;
use taskhold_domain::task::{DetailsChange, Due, Priority, Tag, Task, TaskChange};
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::{
    DueFilter, Position, Precondition, Sort, SortKey, Start, TaskCounts, TaskPage, TaskQuery,
};

use self::due_dates::{check_due_dates, check_stats};
use self::reference::expected;
use self::varied::varied_task;
use super::Ports;
use super::fixtures::{
    add_task, at, description, id, list_tasks, stamp, task, title, try_add, try_change, try_remove,
    user,
};

const SORT_KEYS: [SortKey; 7] = [
    SortKey::CreatedAt,
    SortKey::UpdatedAt,
    SortKey::Title,
    SortKey::Priority,
    SortKey::CompletedAt,
    SortKey::Due,
    SortKey::Position,
];

fn every_sort() -> impl Iterator<Item = Sort> {
    SORT_KEYS
        .into_iter()
        .flat_map(|key| [false, true].map(|descending| Sort { key, descending }))
}

/// Adds `size` tasks of alice, many with equal titles, times and flags, and some of bob.
async fn seed(store: &Ports, size: u32) -> Vec<Task> {
    let tasks: Vec<_> = (0..size).map(varied_task).collect();
    for some in tasks.chunks(50) {
        for outcome in join_all(some.iter().map(|task| try_add(store, task))).await {
            outcome.expect("added");
        }
    }
    for number in 0..10 {
        let his = Task {
            owner: user("bob"),
            ..varied_task(size + number)
        };
        add_task(store, his).await;
    }
    tasks
}

async fn list(store: &Ports, owner: &UserId, query: &TaskQuery) -> TaskPage {
    store.tasks.list(owner, query).await.expect("listed")
}

/// Returns every page by cursor, in order.
async fn list_pages(store: &Ports, owner: &UserId, query: &TaskQuery) -> Vec<Task> {
    let mut query = query.clone();
    let mut tasks = Vec::new();
    loop {
        let page = list(store, owner, &query).await;
        assert!(page.tasks.len() <= query.limit.expect("a limit") as usize);
        tasks.extend(page.tasks);
        match page.next {
            Some(position) => query.start = Start::After(position),
            None => return tasks,
        }
    }
}

/// Checks every filter, search, order, page and count against the reference, for `size` tasks.
pub async fn check_every_query(store: &Ports, size: u32) {
    let tasks = seed(store, size).await;
    let alice = user("alice");
    let texts = [
        "МОЛОКО",
        "οδος",
        "100%_",
        "%",
        "_",
        "fridge",
        "äpf",
        "牛",
        "no such text",
        "%%",
        "\\",
    ];
    for sort in every_sort() {
        for completed in [None, Some(true), Some(false)] {
            let query = TaskQuery {
                sort,
                completed,
                ..TaskQuery::default()
            };
            assert_eq!(
                list(store, &alice, &query).await.tasks,
                expected(&tasks, &query),
                "{query:?}"
            );
        }
    }
    for text in texts {
        let query = TaskQuery {
            text: Some(text.to_owned()),
            ..TaskQuery::default()
        };
        let found = list(store, &alice, &query).await.tasks;
        assert_eq!(found, expected(&tasks, &query), "{text}");
        assert_eq!(
            found.is_empty(),
            ["no such text", "%%"].contains(&text),
            "{text}"
        );
    }
    let priorities = [
        vec![],
        vec![Priority::None],
        vec![Priority::Low, Priority::High],
    ];
    let tags = [
        vec![],
        vec!["STRASSE"],
        vec!["home"],
        vec!["home", "a_b"],
        vec!["_"],
        vec!["om"],
    ];
    for priorities in priorities {
        for tags in &tags {
            let keys = tags
                .iter()
                .map(|tag| Tag::parse(*tag).expect("a tag").key());
            let query = TaskQuery {
                priorities: priorities.clone(),
                tag_keys: keys.collect(),
                limit: Some(size / 7 + 1),
                ..TaskQuery::default()
            };
            let found = list_pages(store, &alice, &query).await;
            assert_eq!(found, expected(&tasks, &query), "{query:?}");
            assert_eq!(
                found.is_empty(),
                ["_", "om"].contains(tags.first().unwrap_or(&""))
            );
        }
    }
    for sort in every_sort() {
        let query = TaskQuery {
            sort,
            completed: Some(true),
            text: Some("o".to_owned()),
            limit: Some(size / 20 + 1),
            ..TaskQuery::default()
        };
        assert_eq!(
            list_pages(store, &alice, &query).await,
            expected(&tasks, &query),
            "{query:?}"
        );
    }
    check_due_dates(store, &tasks).await;
    let done = tasks.iter().filter(|task| task.completed).count();
    let counts = TaskCounts {
        total: tasks.len() as u64,
        completed: done as u64,
    };
    assert_eq!(store.tasks.count(&alice).await.expect("counted"), counts);
    check_stats(store, &tasks, counts).await;
}

/// Checks a small store; [`check_every_query`] can check a large one.
pub async fn every_query_matches_the_reference(store: &Ports) {
    check_every_query(store, 240).await;
}

/// Checks that the last page has no cursor, even when it is full.
pub async fn page_reports_whether_more_follow(store: &Ports) {
    let tasks = seed(store, 6).await;
    let alice = user("alice");
    for sort in every_sort() {
        for limit in 1..=7 {
            let query = TaskQuery {
                sort,
                limit: Some(limit),
                ..TaskQuery::default()
            };
            assert_eq!(list(store, &alice, &query).await.next.is_some(), limit < 6);
            assert_eq!(
                list_pages(store, &alice, &query).await,
                expected(&tasks, &query)
            );
        }
    }
    let nothing = TaskQuery {
        limit: Some(5),
        ..TaskQuery::default()
    };
    let empty = list(store, &user("carol"), &nothing).await;
    assert_eq!((empty.tasks.len(), empty.next), (0, None));
}

/// Checks offsets with and without a limit, and beyond the end.
pub async fn offset_skips_tasks(store: &Ports) {
    let tasks = seed(store, 9).await;
    let alice = user("alice");
    let by_due = Sort {
        key: SortKey::Due,
        descending: false,
    };
    for offset in [0, 1, 8, 9, 10, u32::MAX] {
        for (limit, sort) in [
            (None, Sort::default()),
            (Some(1), Sort::default()),
            (Some(3), Sort::default()),
            (Some(1000), Sort::default()),
            (None, by_due),
            (Some(3), by_due),
        ] {
            let query = TaskQuery {
                start: Start::Offset(offset),
                sort,
                limit,
                ..TaskQuery::default()
            };
            let page = list(store, &alice, &query).await;
            let all = expected(&tasks, &query);
            let rest: Vec<_> = all.into_iter().skip(offset as usize).collect();
            let shown: Vec<_> = rest
                .iter()
                .take(limit.unwrap_or(u32::MAX) as usize)
                .cloned()
                .collect();
            assert_eq!(page.tasks, shown, "{query:?}");
            assert_eq!(page.next.is_some(), rest.len() > shown.len(), "{query:?}");
        }
    }
}

/// Checks that a task which exists from the first page to the last is shown exactly once, whatever
/// is inserted, changed and deleted between the pages, including the task of the cursor.
pub async fn paging_by_creation_survives_concurrent_changes(store: &Ports) {
    let before = seed(store, 40).await;
    let alice = user("alice");
    let mut query = TaskQuery {
        limit: Some(3),
        ..TaskQuery::default()
    };
    let (mut seen, mut deleted) = (Vec::new(), Vec::new());
    for round in 0.. {
        let page = list(store, &alice, &query).await;
        seen.extend(page.tasks.iter().map(|task| task.id));
        let Some(Position { key, id: mark }) = page.next else {
            break;
        };
        let newest = Task {
            created_at: at(1_000_000),
            updated_at: at(1_000_000),
            ..task("alice", u128::MAX - round)
        };
        add_task(store, newest).await;
        if round % 2 == 0 {
            assert!(
                try_remove(store, &alice, mark, &Precondition::None)
                    .await
                    .expect("removed")
            );
            deleted.push(mark);
        } else {
            let change = TaskChange::update(title("changed meanwhile"), description(""));
            try_change(
                store,
                &alice,
                mark,
                &change,
                &Precondition::None,
                at(2_000_000),
            )
            .await
            .expect("changed");
        }
        query.start = Start::After(Position { key, id: mark });
    }
    let mut unique = seen.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), seen.len(), "no task twice");
    for task in before {
        assert!(
            seen.contains(&task.id),
            "no task missed, deleted after it was shown or not"
        );
    }
    assert!(
        !deleted.is_empty()
            && list_tasks(store, &alice)
                .await
                .iter()
                .all(|task| !deleted.contains(&task.id))
    );
}

/// Checks that the order follows the due date that a task has after a change, an undone deletion and a completion.
pub async fn lists_follow_changed_due_dates(store: &Ports) {
    let alice = user("alice");
    for number in 1..=3 {
        add_task(store, task("alice", number)).await;
    }
    let sort = Sort {
        key: SortKey::Due,
        descending: false,
    };
    let numbers = async |due| {
        let query = TaskQuery {
            due,
            sort,
            ..TaskQuery::default()
        };
        let tasks = list(store, &alice, &query).await.tasks;
        let numbers = tasks.iter().map(|task| task.id.as_uuid().as_u128());
        numbers.collect::<Vec<_>>()
    };
    let set = async |number, due: Option<&str>| {
        let due = due.map(|due| Due::parse(due).expect("a due date"));
        let details = DetailsChange {
            due: Some(due),
            ..DetailsChange::default()
        };
        let change = TaskChange {
            details,
            ..TaskChange::default()
        };
        let changed = try_change(
            store,
            &alice,
            id(number),
            &change,
            &Precondition::None,
            at(1),
        );
        assert!(changed.await.expect("answered").is_some());
    };
    assert_eq!(numbers(vec![]).await, [1, 2, 3]);
    set(3, Some("2026-12-01")).await;
    set(2, Some("2026-12-01T09:00:00Z")).await;
    assert_eq!(numbers(vec![]).await, [3, 2, 1]);
    set(2, Some("2026-11-30")).await;
    assert_eq!(numbers(vec![]).await, [2, 3, 1]);
    set(3, Some("2026-11-29T09:00:00Z")).await;
    assert_eq!(numbers(vec![]).await, [3, 2, 1]);
    let removed = try_remove(store, &alice, id(3), &Precondition::None).await;
    assert!(removed.expect("removed"));
    assert_eq!(numbers(vec![DueFilter::Any]).await, [2]);
    let restored = store.trash.restore(&alice, id(3), &stamp(2)).await;
    assert!(restored.expect("answered").is_some());
    assert_eq!(numbers(vec![DueFilter::Any]).await, [3, 2]);
    set(3, None).await;
    assert_eq!(numbers(vec![DueFilter::Any]).await, [2]);
    assert_eq!(numbers(vec![DueFilter::None]).await, [1, 3]);
    let overdue = vec![DueFilter::Overdue(
        "2026-12-01T00:00:00Z".parse().expect("a time"),
    )];
    assert_eq!(numbers(overdue.clone()).await, [2]);
    let toggle = TaskChange::toggle();
    let toggled = try_change(store, &alice, id(2), &toggle, &Precondition::None, at(3)).await;
    assert!(toggled.expect("answered").is_some());
    assert_eq!(numbers(overdue).await, [0; 0]);
}

/// Checks that a search matches the current text only.
pub async fn search_finds_the_current_text(store: &Ports) {
    let before = add_task(store, task("alice", 1)).await;
    let search = |text: &str| TaskQuery {
        text: Some(text.to_owned()),
        ..TaskQuery::default()
    };
    let change = TaskChange::update(title("Купить ХЛЕБ"), description("Ofen VORHEIZEN"));
    try_change(
        store,
        &before.owner,
        before.id,
        &change,
        &Precondition::None,
        at(1),
    )
    .await
    .expect("changed");
    for (text, found) in [
        ("milk", 0),
        ("litres", 0),
        ("хлеб", 1),
        ("vorheizen", 1),
        ("хлеб\nofen", 0),
    ] {
        assert_eq!(
            list(store, &before.owner, &search(text)).await.tasks.len(),
            found,
            "{text}"
        );
    }
    let nowhere = list(store, &user("bob"), &search("хлеб")).await;
    assert_eq!(nowhere.tasks, [], "another's text is not found");
}

/// Checks full case folding and canonical equivalence with pairs of a text and what finds it.
pub async fn search_compares_texts_as_people_read_them(store: &Ports) {
    let texts = [
        ("Flug nach İstanbul", "istanbul"),
        ("Straße", "STRASSE"),
        ("GROSSE", "große"),
        ("cafe\u{301} au lait", "CAFÉ AU"),
        ("Ångström", "a\u{30a}ngstro\u{308}m"),
        ("Vie\u{302}\u{323}t Nam", "VIỆT"),
        ("한글", "\u{1112}\u{1161}\u{11ab}"),
        ("ΟΔΟΣ ΕΡΜΟΥ", "οδος"),
        ("ᾳδω", "ΑΙΔΩ"),
        ("ﬁnish", "FINISH"),
        ("5 \u{212a}", "5 k"),
    ];
    let alice = user("alice");
    for (number, (text, _)) in (1..).zip(texts) {
        let as_title = Task {
            title: title(text),
            ..task("alice", number)
        };
        add_task(store, as_title).await;
        let as_description = Task {
            description: description(text),
            ..task("alice", 100 + number)
        };
        add_task(store, as_description).await;
    }
    for (text, part) in texts {
        let query = TaskQuery {
            text: Some(part.to_owned()),
            ..TaskQuery::default()
        };
        let found = list(store, &alice, &query).await.tasks;
        assert_eq!(found.len(), 2, "{part} finds {text}");
    }
    for other in ["cafe au", "angstrom", "viet"] {
        let query = TaskQuery {
            text: Some(other.to_owned()),
            ..TaskQuery::default()
        };
        assert_eq!(list(store, &alice, &query).await.tasks, [], "{other}");
    }
}
