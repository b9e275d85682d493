//! An independent implementation of the rules of lists.

use std::cmp::Ordering;

use taskhold_domain::search::fold;
use taskhold_domain::task::{Details, Task};
use taskhold_domain::zone::Zone;
use taskhold_repository::tasks::{DueFilter, SortKey, TaskQuery};

/// Returns the tasks that `query` selects, in its order.
pub(super) fn expected(tasks: &[Task], query: &TaskQuery) -> Vec<Task> {
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
        .filter(|task| {
            let Details { priority, tags, .. } = &task.details;
            let has = |key: &String| tags.iter().any(|tag| tag.key() == *key);
            (query.priorities.is_empty() || query.priorities.contains(priority))
                && query.tag_keys.iter().all(has)
        })
        .cloned()
        .collect();
    found.retain(|task| {
        let mut filters = query.due.iter();
        filters.all(|due| is_due(task, *due, &query.zone))
    });
    found.sort_by(|one, other| compare(query, one, other));
    found
}

/// Returns whether the filter selects the task.
pub(super) fn is_due(task: &Task, filter: DueFilter, zone: &Zone) -> bool {
    let due = task.details.due.as_ref();
    let day = due.map(|due| due.sort_key(zone).day);
    match filter {
        DueFilter::None => due.is_none(),
        DueFilter::Any => due.is_some(),
        DueFilter::Overdue(now) => due.is_some_and(|due| {
            let is_past = match due.instant() {
                Some(instant) => instant < now,
                None => due.date() < zone.day_of(now),
            };
            is_past && !task.completed
        }),
        DueFilter::Today(now) => day == Some(zone.day_of(now)),
        DueFilter::Days(first, last) => {
            day.is_some_and(|day| first.unwrap_or(day) <= day && day <= last.unwrap_or(day))
        }
    }
}

fn compare(query: &TaskQuery, one: &Task, other: &Task) -> Ordering {
    let due = |task: &Task| {
        let due = task.details.due.as_ref();
        due.map(|due| due.sort_key(&query.zone))
    };
    let with_both = |by_key| (Ordering::Equal, by_key);
    let (missing, by_key) = match query.sort.key {
        SortKey::CreatedAt => with_both(one.created_at.cmp(&other.created_at)),
        SortKey::UpdatedAt => with_both(one.updated_at.cmp(&other.updated_at)),
        SortKey::Title => with_both(one.title.as_str().chars().cmp(other.title.as_str().chars())),
        SortKey::Priority => with_both(one.details.priority.cmp(&other.details.priority)),
        SortKey::CompletedAt => missing_last(one.completed_at, other.completed_at),
        SortKey::Due => missing_last(due(one), due(other)),
        SortKey::Position => {
            let position = |task: &Task| task.position.as_str().as_bytes().to_vec();
            with_both(position(one).cmp(&position(other)))
        }
    };
    let ascending = by_key.then(one.id.cmp(&other.id));
    missing.then(if query.sort.descending {
        ascending.reverse()
    } else {
        ascending
    })
}

/// Compares whether two keys are missing, and the keys.
fn missing_last<T: Ord + Copy>(one: Option<T>, other: Option<T>) -> (Ordering, Ordering) {
    (one.is_none().cmp(&other.is_none()), one.cmp(&other))
}
