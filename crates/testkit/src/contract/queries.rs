//! The obligations of lists: filters, orders, pages and counts.

use std::cmp::Ordering;

use futures_util::future::join_all;
use taskhold_domain::search::fold;
use taskhold_domain::task::{Task, TaskChange};
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::{
    Position, Precondition, Sort, SortKey, Start, TaskCounts, TaskPage, TaskQuery,
};

use super::{Ports, add_task, at, description, list_tasks, task, title, user};

/// Title prefixes in several scripts; their order by code point differs from that of any language.
const WORDS: [&str; 12] = [
    "apple",
    "Apple",
    "ÄPFEL",
    "zebra",
    "Молоко",
    "молоко",
    "ΟΔΟΣ",
    "牛乳",
    "חלב",
    "100%_\\",
    "😀",
    "ﬀ",
];

const SORT_KEYS: [SortKey; 3] = [SortKey::CreatedAt, SortKey::UpdatedAt, SortKey::Title];

fn every_sort() -> impl Iterator<Item = Sort> {
    SORT_KEYS
        .into_iter()
        .flat_map(|key| [false, true].map(|descending| Sort { key, descending }))
}

/// Adds `size` tasks of alice, many with equal titles, times and flags, and some of bob.
async fn seed(store: &Ports, size: u32) -> Vec<Task> {
    let tasks: Vec<_> = (0..size).map(varied_task).collect();
    for some in tasks.chunks(50) {
        for outcome in join_all(some.iter().map(|task| store.tasks.add(task))).await {
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

/// Returns a task whose values are spread over few keys by multiplication, so that no sort order
/// equals the order of creation.
fn varied_task(number: u32) -> Task {
    let word = WORDS
        .iter()
        .cycle()
        .nth(number as usize % WORDS.len())
        .expect("a cycle");
    let created = i64::from(number.wrapping_mul(7919) % 97);
    Task {
        title: title(&format!("{word} {}", number % 5)),
        description: description(if number.is_multiple_of(3) {
            "in the FRIDGE, 50% off"
        } else {
            ""
        }),
        completed: number.is_multiple_of(4),
        created_at: at(created),
        updated_at: at(created + i64::from(number % 11)),
        ..task("alice", u128::from(number.wrapping_mul(2_654_435_761)))
    }
}

/// An independent implementation of the rules of lists: returns what `query` selects from `tasks`.
fn expected(tasks: &[Task], query: &TaskQuery) -> Vec<Task> {
    let text = query.text.as_deref().map(fold);
    let mut found: Vec<_> = tasks
        .iter()
        .filter(|task| {
            query
                .completed
                .is_none_or(|completed| completed == task.completed)
        })
        .filter(|task| {
            text.as_ref().is_none_or(|text| {
                [task.title.as_str(), task.description.as_str()]
                    .iter()
                    .any(|own| fold(own).contains(text))
            })
        })
        .cloned()
        .collect();
    found.sort_by(|one, other| compare(query.sort, one, other));
    found
}

fn compare(sort: Sort, one: &Task, other: &Task) -> Ordering {
    let by_key = match sort.key {
        SortKey::CreatedAt => one.created_at.cmp(&other.created_at),
        SortKey::UpdatedAt => one.updated_at.cmp(&other.updated_at),
        SortKey::Title => one.title.as_str().chars().cmp(other.title.as_str().chars()),
    };
    let ascending = by_key.then(one.id.cmp(&other.id));
    if sort.descending {
        ascending.reverse()
    } else {
        ascending
    }
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
    let done = tasks.iter().filter(|task| task.completed).count();
    let counts = TaskCounts {
        total: tasks.len() as u64,
        completed: done as u64,
    };
    assert_eq!(store.tasks.count(&alice).await.expect("counted"), counts);
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
    for offset in [0, 1, 8, 9, 10, u32::MAX] {
        for limit in [None, Some(1), Some(3), Some(1000)] {
            let query = TaskQuery {
                start: Start::Offset(offset),
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
        let tasks = &store.tasks;
        let newest = Task {
            created_at: at(1_000_000),
            updated_at: at(1_000_000),
            ..task("alice", u128::MAX - round)
        };
        add_task(store, newest).await;
        if round % 2 == 0 {
            assert!(
                tasks
                    .remove(&alice, mark, &Precondition::None)
                    .await
                    .expect("removed")
            );
            deleted.push(mark);
        } else {
            let change = TaskChange::update(title("changed meanwhile"), description(""));
            tasks
                .change(&alice, mark, &change, &Precondition::None, at(2_000_000))
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

/// Checks that a search matches the current text only.
pub async fn search_finds_the_current_text(store: &Ports) {
    let before = add_task(store, task("alice", 1)).await;
    let search = |text: &str| TaskQuery {
        text: Some(text.to_owned()),
        ..TaskQuery::default()
    };
    let change = TaskChange::update(title("Купить ХЛЕБ"), description("Ofen VORHEIZEN"));
    store
        .tasks
        .change(
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
