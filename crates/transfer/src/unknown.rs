//! Members of rows that Taskhold does not know and leaves out.

use std::collections::BTreeMap;

/// The most names that are counted apart, of those with a meaning and of the others.
const MAX_NAMES: usize = 100;
/// The code points of a name that are kept.
const MAX_NAME_CHARS: usize = 64;

/// The members of the rows of a file that Taskhold does not know, each with the number of rows that have it. Its
/// size is bounded, whatever the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnknownMembers {
    meaningful: BTreeMap<String, u64>,
    others: BTreeMap<String, u64>,
    /// The number of members whose names were not kept.
    beyond: u64,
}

/// A property of a task that a member seems to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Done or not.
    Completion,
    /// The owner.
    Owner,
    /// A date or a time.
    Date,
}

impl Meaning {
    /// Returns the name of the property.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completion => "completion",
            Self::Owner => "owner",
            Self::Date => "date",
        }
    }

    /// Guesses the meaning from a name in any spelling, such as `is_completed`, `userId` or `Due Date`.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        const COMPLETION: (&[&str], &[&str]) = (
            &[
                "done", "isdone", "status", "state", "closed", "isclosed", "open", "isopen",
                "ticked", "progress", "pending", "active",
            ],
            &["complet", "finish", "resolved", "checked"],
        );
        const DUE: (&[&str], &[&str]) = (&["due"], &["duedate", "dueat", "deadline"]);
        const OWNER: (&[&str], &[&str]) = (
            &["by", "uid", "who", "person", "creator", "mail"],
            &["user", "owner", "assign", "author", "account", "email"],
        );
        const DATE: (&[&str], &[&str]) = (
            &[
                "date", "time", "at", "on", "start", "end", "when", "until", "added", "changed",
                "day", "ctime", "mtime",
            ],
            &[
                "created",
                "updated",
                "modified",
                "timestamp",
                "datetime",
                "startdate",
                "enddate",
                "dateadded",
                "schedul",
                "remind",
            ],
        );
        let words = words(name);
        let joined = words.concat();
        let means = |(whole, parts): (&[&str], &[&str])| {
            words.iter().any(|word| whole.contains(&word.as_str()))
                || parts.iter().any(|part| joined.contains(part))
        };
        [
            (COMPLETION, Self::Completion),
            (DUE, Self::Date),
            (OWNER, Self::Owner),
            (DATE, Self::Date),
        ]
        .into_iter()
        .find_map(|(words, meaning)| means(words).then_some(meaning))
    }
}

/// Returns the words of a name in lower case.
fn words(name: &str) -> Vec<String> {
    let (mut words, mut was_lower) = (vec![String::new()], false);
    for character in name.chars() {
        let starts_word = character.is_uppercase() && was_lower;
        if starts_word || !character.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut()
            && character.is_alphanumeric()
        {
            word.extend(character.to_lowercase());
        }
        was_lower = character.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

impl UnknownMembers {
    /// Counts a member of a row.
    pub(crate) fn add(&mut self, name: &str) {
        let end = name.char_indices().nth(MAX_NAME_CHARS);
        let name = end.map_or(name, |(end, _)| name.split_at(end).0);
        for names in [&mut self.meaningful, &mut self.others] {
            if let Some(rows) = names.get_mut(name) {
                *rows += 1;
                return;
            }
        }
        let names = match Meaning::of(name) {
            Some(_) => &mut self.meaningful,
            None => &mut self.others,
        };
        if names.len() < MAX_NAMES {
            names.insert(name.to_owned(), 1);
        } else {
            self.beyond += 1;
        }
    }

    /// Returns whether every member was known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.meaningful.is_empty() && self.others.is_empty()
    }

    /// Returns each name with the number of rows that have it, first those with a [`Meaning`].
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        let names = self.meaningful.iter().chain(&self.others);
        names.map(|(name, rows)| (name.as_str(), *rows))
    }

    /// Returns the number of members with further names, of which there were too many to keep.
    #[must_use]
    pub fn beyond(&self) -> u64 {
        self.beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meaning_is_found_in_any_spelling() {
        for (names, meaning) in [
            (
                "done Done is_completed isCompleted iscompleted complete status Status completedAt checked isDone \
                 FINISHED",
                Some(Meaning::Completion),
            ),
            (
                "user userId owner username USER_NAME assignedTo created_by email",
                Some(Meaning::Owner),
            ),
            (
                "due dueDate duedate due_by deadline createdAt created date Timestamp start_time reminder",
                Some(Meaning::Date),
            ),
            (
                "priority tags notes color abandoned weather 名前 category _ __v",
                None,
            ),
        ] {
            for name in names.split_whitespace() {
                assert_eq!(Meaning::of(name), meaning, "{name}");
            }
        }
        assert_eq!(Meaning::of("Due Date"), Some(Meaning::Date));
        assert_eq!(Meaning::of(""), None);
    }

    #[test]
    fn names_are_bounded_and_meaningful_ones_kept() {
        let mut unknown = UnknownMembers::default();
        for number in 0..10_000 {
            unknown.add(&format!("x{number}"));
        }
        unknown.add("done");
        unknown.add("done");
        unknown.add(&"y".repeat(1 << 20));
        let names: Vec<_> = unknown.iter().collect();
        assert_eq!(names.len(), MAX_NAMES + 1);
        assert_eq!(names[0], ("done", 2));
        assert_eq!(unknown.beyond(), 10_001 - 100);
        assert!(!unknown.is_empty() && UnknownMembers::default().is_empty());
    }
}
