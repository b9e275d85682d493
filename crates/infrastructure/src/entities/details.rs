//! The JSON document of a task's details.
//!
//! The document has a member for each detail that differs from that of a new task, and a row without such a
//! detail has no document. So a list reads one column for all details, which is mostly NULL, and a new detail
//! needs no new column to be stored.

use std::error::Error;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use taskhold_domain::task::{Details, DetailsChange, Due, Priority, Repeat, RepeatFrom, Tags};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::zone::{Date, Zone};

/// The members of the document. `None` stands for an absent member.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct DetailsDocument {
    /// The due date as [`Due::to_stored`] writes it; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
    /// The rule in its canonical form; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat_from: Option<String>,
}

impl From<&DetailsChange> for DetailsDocument {
    fn from(change: &DetailsChange) -> Self {
        let DetailsChange {
            due,
            priority,
            tags,
            repeat,
            repeat_from,
        } = change;
        Self {
            due: due
                .as_ref()
                .map(|due| due.as_ref().map_or_else(String::new, Due::to_stored)),
            priority: priority.map(|priority| priority.as_str().to_owned()),
            tags: tags
                .as_ref()
                .map(|tags| tags.iter().map(|tag| tag.as_str().to_owned()).collect()),
            repeat: repeat
                .as_ref()
                .map(|repeat| repeat.as_ref().map_or_else(String::new, Repeat::to_string)),
            repeat_from: repeat_from.map(|from| from.as_str().to_owned()),
        }
    }
}

impl DetailsDocument {
    /// Converts the members to a change.
    ///
    /// # Errors
    /// If a value breaks a rule of the domain.
    pub fn parse(self) -> Result<DetailsChange, Box<dyn Error + Send + Sync>> {
        let due = |stored: String| match stored.as_str() {
            "" => Ok(None),
            stored => Due::from_stored(stored).map(Some),
        };
        let repeat = |stored: String| match stored.as_str() {
            "" => Ok(None),
            stored => Repeat::parse(stored).map(Some),
        };
        let repeat_from = self.repeat_from.map(|raw| RepeatFrom::parse(&raw));
        Ok(DetailsChange {
            due: self.due.map(due).transpose()?,
            priority: self.priority.map(|raw| Priority::parse(&raw)).transpose()?,
            tags: self.tags.map(Tags::parse).transpose()?,
            repeat: self.repeat.map(repeat).transpose()?,
            repeat_from: repeat_from.transpose()?,
        })
    }
}

/// A new value of a member of the document.
pub struct NewMember {
    /// The name.
    pub name: String,
    /// The new value.
    pub value: Value,
    /// The value of a new task, for which the document has no member.
    pub default: Value,
}

impl NewMember {
    fn is_default(&self) -> bool {
        self.value == self.default
    }
}

/// Returns the members that a change sets.
pub fn new_members(change: &DetailsChange) -> Vec<NewMember> {
    // Most changes set none.
    if *change == DetailsChange::default() {
        return Vec::new();
    }
    let mut defaults = members(&DetailsChange::of(&Details::default()));
    members(change)
        .into_iter()
        .map(|(name, value)| NewMember {
            default: defaults.remove(&name).unwrap_or_default(),
            name,
            value,
        })
        .collect()
}

/// Returns the merge patch of the document that makes a change: null removes a member.
pub fn merge_patch(members: &[NewMember]) -> String {
    let members = members.iter().map(|member| {
        let value = (!member.is_default()).then(|| member.value.clone());
        (member.name.clone(), value.unwrap_or_default())
    });
    Value::Object(members.collect()).to_string()
}

/// Returns the document of a task's details; `None` for those of a new task.
pub fn document(details: &Details) -> Option<String> {
    if *details == Details::default() {
        return None;
    }
    let members = new_members(&DetailsChange::of(details)).into_iter();
    let members = members.filter(|member| !member.is_default());
    let members = members.map(|member| (member.name, member.value));
    Some(Value::Object(members.collect()).to_string())
}

/// Returns the values of the columns `due_date` and `due_at`.
pub fn due_columns(due: Option<&Due>) -> (Option<i64>, Option<i64>) {
    match due {
        None => (None, None),
        Some(Due::Date(date)) => (Some(day_number(*date)), None),
        Some(Due::Time(time)) => (None, Some(time.instant().as_micros())),
    }
}

const MICROS_OF_A_DAY: i64 = 86_400_000_000;

/// Returns the days from 1970-01-01 to a date.
pub fn day_number(date: Date) -> i64 {
    Zone::UTC.start_of(date).as_micros() / MICROS_OF_A_DAY
}

/// Returns the date so many days after 1970-01-01; the nearest one in the years 1 to 9999.
pub fn date_of(day: i64) -> Date {
    let start = day.saturating_mul(MICROS_OF_A_DAY);
    let nearest = if start < 0 {
        Timestamp::FIRST
    } else {
        Timestamp::LAST
    };
    Zone::UTC.day_of(Timestamp::from_micros(start).unwrap_or(nearest))
}

/// Returns the number of a priority, in their order.
pub fn priority_number(priority: Priority) -> i64 {
    match priority {
        Priority::None => 0,
        Priority::Low => 1,
        Priority::Medium => 2,
        Priority::High => 3,
    }
}

/// Returns the text in which [`tag_pattern`] is found. No key has a comma, since no tag has one.
pub fn tag_keys(tags: &Tags) -> Option<String> {
    let keys = tags.iter().map(|tag| tag.key() + ",").collect::<String>();
    (!keys.is_empty()).then(|| format!(",{keys}"))
}

/// Returns the part of the column that shows that a task has the tag of this key.
pub fn tag_pattern(key: &str) -> String {
    format!(",{key},")
}

fn members(change: &DetailsChange) -> Map<String, Value> {
    match serde_json::to_value(DetailsDocument::from(change)) {
        Ok(Value::Object(members)) => members,
        // Texts and lists of texts can always be written.
        _ => Map::new(),
    }
}

/// Parses the document of a row.
///
/// # Errors
/// If it is not the document of a task's details.
pub fn parse(document: Option<&str>) -> Result<Details, Box<dyn Error + Send + Sync>> {
    let mut details = Details::default();
    if let Some(document) = document {
        let document: DetailsDocument = serde_json::from_str(document)?;
        document.parse()?.apply(&mut details);
    }
    Ok(details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_numbers() {
        for (text, day) in [
            ("0001-01-01", -719_162),
            ("1969-12-31", -1),
            ("1970-01-01", 0),
            ("2026-12-01", 20_788),
            ("9999-12-31", 2_932_896),
        ] {
            let date: Date = text.parse().expect("a date");
            assert_eq!((day_number(date), date_of(day)), (day, date), "{text}");
        }
        assert_eq!(date_of(i64::MIN).to_string(), "0001-01-01");
        assert_eq!(date_of(i64::MAX).to_string(), "9999-12-31");
    }
}
