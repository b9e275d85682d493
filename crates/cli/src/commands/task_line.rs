//! A task on one line.

use taskhold_client::tasks::Task;
use taskhold_domain::task::{Due, Priority};
use taskhold_domain::zone::Zone;

/// Returns the line of a task in the console's list.
pub fn line(short_id: &str, task: &Task) -> String {
    let mark = if task.completed { 'X' } else { 'O' };
    format!("[{mark}] {short_id}: {}", task.title)
}

/// Returns what follows on the line: due date, repeat, priority and tags, which the console does not know. Empty for a
/// task that has none of them.
pub fn details(task: &Task, zone: &Zone) -> String {
    let mut parts = Vec::new();
    if let Some(due) = &task.due {
        parts.push(format!("due {}", due_text(due, zone)));
    }
    if task.repeat.is_some() {
        parts.push("repeats".to_owned());
    }
    if task.priority != Priority::None {
        parts.push(format!("!{}", task.priority));
    }
    parts.extend(task.tags.iter().map(|tag| format!("#{tag}")));
    if parts.is_empty() {
        return String::new();
    }
    format!("  ({})", parts.join(", "))
}

/// Returns a due date for people: the day, and of a time the wall time in this zone.
pub fn due_text(due: &str, zone: &Zone) -> String {
    let Ok(parsed) = Due::from_stored(due) else {
        // Of a form that this version does not know.
        return due.to_owned();
    };
    match parsed.instant() {
        Some(instant) => zone.local(instant).strftime("%Y-%m-%d %H:%M").to_string(),
        None => parsed.date().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_the_zone_of_this_computer() {
        let zone = Zone::parse("Asia/Tokyo").unwrap();
        assert_eq!(due_text("2026-12-01", &zone), "2026-12-01");
        assert_eq!(
            due_text("2026-12-01T23:30:00+01:00[Europe/Berlin]", &zone),
            "2026-12-02 07:30"
        );
        assert_eq!(due_text("some day", &zone), "some day");
    }
}
