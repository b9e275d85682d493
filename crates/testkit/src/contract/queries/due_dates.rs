//! The obligations of orders, filters and counts by due date.

use taskhold_domain::task::{Priority, Task};
use taskhold_domain::zone::{Date, Zone};
use taskhold_repository::tasks::{
    DueFilter, Sort, SortKey, Start, TaskCounts, TaskQuery, TaskStats,
};

use super::reference::{expected, is_due};
use super::{every_sort, list, list_pages};
use crate::contract::Ports;
use crate::contract::fixtures::{at, user};

/// Zones on both sides of UTC, 14 hours before it and 12 hours behind. Samoa skipped 2011-12-30, and Newfoundland set its
/// clocks back at 00:01.
const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "Pacific/Kiritimati",
    "Etc/GMT+12",
    "Pacific/Apia",
    "America/St_Johns",
];

fn zone(name: &str) -> Zone {
    Zone::parse(name).expect("a zone")
}

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

/// Returns filters of every kind and together, and days without any task.
fn every_due_filter() -> Vec<Vec<DueFilter>> {
    let (first, last) = (date("2026-01-02"), date("2026-01-04"));
    let days = |first, last| DueFilter::Days(first, last);
    let (now, later) = (at(0), at(8 * 3_600_000_000));
    let alone = [
        DueFilter::None,
        DueFilter::Any,
        DueFilter::Overdue(now),
        DueFilter::Today(now),
        // Samoa and Newfoundland have other days than UTC.
        DueFilter::Today(later),
        days(Some(first), None),
        days(None, Some(last)),
        days(Some(first), Some(last)),
        days(Some(last), Some(first)),
        days(Some(date("2010-11-06")), Some(date("2010-11-06"))),
        days(Some(date("9999-12-31")), Some(date("9999-12-31"))),
    ];
    let together = [
        [DueFilter::None, days(Some(first), None)],
        [DueFilter::Any, days(None, Some(last))],
        [DueFilter::Overdue(later), days(Some(first), None)],
        [DueFilter::Today(now), days(Some(first), Some(last))],
    ];
    let alone = alone.into_iter().map(|due| vec![due]);
    alone.chain(together.map(Vec::from)).collect()
}

/// Checks the order of due dates in several zones, by cursor and by offset, and filters of them in several orders.
pub(super) async fn check_due_dates(store: &Ports, tasks: &[Task]) {
    let alice = user("alice");
    let size = u32::try_from(tasks.len()).expect("few");
    let by = |key, descending| Sort { key, descending };
    // One suffices where each list takes long.
    let skipped = if size > 1000 { ZONES.len() - 1 } else { 0 };
    for zone in ZONES.map(zone).into_iter().skip(skipped) {
        for descending in [false, true] {
            let mut query = TaskQuery {
                zone: zone.clone(),
                sort: by(SortKey::Due, descending),
                limit: Some(size / 20 + 1),
                ..TaskQuery::default()
            };
            let all = expected(tasks, &query);
            assert_eq!(list_pages(store, &alice, &query).await, all, "{query:?}");
            for offset in [1, size / 3, size - size / 20] {
                query.start = Start::Offset(offset);
                let rest = all.iter().skip(offset as usize);
                let shown: Vec<_> = rest.take(size as usize / 20 + 1).cloned().collect();
                assert_eq!(list(store, &alice, &query).await.tasks, shown, "{query:?}");
            }
        }
        for due in every_due_filter() {
            for sort in [
                Sort::default(),
                by(SortKey::Due, false),
                by(SortKey::Due, true),
                by(SortKey::CompletedAt, true),
            ] {
                let query = TaskQuery {
                    due: due.clone(),
                    zone: zone.clone(),
                    sort,
                    completed: (sort.key == SortKey::CompletedAt).then_some(true),
                    limit: Some(size / 10 + 1),
                    ..TaskQuery::default()
                };
                let found = list_pages(store, &alice, &query).await;
                assert_eq!(found, expected(tasks, &query), "{query:?}");
            }
            // Together with every other filter.
            for sort in every_sort() {
                let query = TaskQuery {
                    completed: Some(false),
                    text: Some("o".to_owned()),
                    priorities: vec![Priority::Low, Priority::High],
                    tag_keys: vec!["home".to_owned()],
                    due: due.clone(),
                    zone: zone.clone(),
                    sort,
                    limit: Some(size / 20 + 1),
                    ..TaskQuery::default()
                };
                let found = list_pages(store, &alice, &query).await;
                assert_eq!(found, expected(tasks, &query), "{query:?}");
            }
        }
    }
}

/// Checks the numbers of what is overdue and due today in several zones.
pub(super) async fn check_stats(store: &Ports, tasks: &[Task], counts: TaskCounts) {
    let alice = user("alice");
    for zone in ZONES.map(zone) {
        let count = |due| {
            let open = tasks.iter().filter(|task| !task.completed);
            open.filter(|task| is_due(task, due, &zone)).count() as u64
        };
        let stats = TaskStats {
            counts,
            overdue: count(DueFilter::Overdue(at(0))),
            due_today: count(DueFilter::Today(at(0))),
        };
        assert!(stats.overdue > 0 && stats.due_today > 0, "{stats:?}");
        let counted = store.tasks.stats(&alice, at(0), &zone).await;
        assert_eq!(counted.expect("counted"), stats, "{zone}");
    }
}
