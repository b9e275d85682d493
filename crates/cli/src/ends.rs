//! The ends of ids by which tasks are named: the shortest that is unambiguous among the tasks of a login.
//!
//! An end that was shown is remembered, so that it never comes to mean another task, whatever is deleted or created
//! later.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use taskhold_domain::task::TaskId;

use crate::private_file;

/// The least length that is shown.
const MIN_SHOWN: usize = 4;
/// The number of digits of an id.
const WHOLE: usize = 32;

/// The ends that were shown on this computer.
#[derive(Debug)]
pub struct Ends {
    file: PathBuf,
    /// The shortest end of each task that was shown.
    shown: HashMap<TaskId, usize>,
}

/// The task that a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Task(TaskId),
    /// No task has this end, or the one that had it is gone.
    Nothing,
    /// Several tasks have this end, of which none was shown with it.
    Several(usize),
    /// The text is no end of an id.
    Malformed,
}

impl Ends {
    /// Reads what was shown from a folder. A line that cannot be read is left out.
    pub fn open(folder: &Path) -> Self {
        let file = folder.join("shown");
        let lines = private_file::read(&file).ok().flatten().unwrap_or_default();
        let mut shown: HashMap<TaskId, usize> = HashMap::new();
        for line in String::from_utf8_lossy(&lines).lines() {
            let Some((id, length)) = line.split_once(' ') else {
                continue;
            };
            let length = length.parse().ok();
            let length = length.filter(|length| (MIN_SHOWN..=WHOLE).contains(length));
            if let (Ok(id), Some(length)) = (TaskId::parse(id), length) {
                let shortest = shown.entry(id).or_insert(length);
                *shortest = length.min(*shortest);
            }
        }
        Self { file, shown }
    }

    /// Returns the end by which each task is shown, in the same order, and remembers it. The end is unambiguous among
    /// the `known` tasks and all that were ever shown.
    pub fn show(&mut self, tasks: &[TaskId], known: &[TaskId]) -> Vec<String> {
        let lengths = self.lengths(tasks.iter().chain(known).copied());
        // It begins with a line end, so that a line that was cut off by a full disk spoils no other one.
        let mut news = String::new();
        let mut ends = Vec::with_capacity(tasks.len());
        for task in tasks {
            let length = lengths.get(task).copied().unwrap_or(WHOLE);
            if self.shown.get(task).is_none_or(|shown| *shown > length) {
                self.shown.insert(*task, length);
                _ = write!(news, "\n{task} {length}");
            }
            ends.push(end(*task, length));
        }
        if !news.is_empty() {
            // If it cannot be kept, such as on a read-only home, an end may name another task once this one is deleted.
            _ = private_file::append(&self.file, &news);
        }
        ends
    }

    /// Returns the length that each id needs to differ from all others.
    fn lengths(&self, ids: impl Iterator<Item = TaskId>) -> HashMap<TaskId, usize> {
        let mut all: Vec<(u128, TaskId)> = ids
            .chain(self.shown.keys().copied())
            .map(|id| (reversed(id), id))
            .collect();
        all.sort_unstable();
        all.dedup();
        let mut lengths = HashMap::with_capacity(all.len());
        for (index, (digits, id)) in all.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|index| all.get(index));
            let neighbours = before.into_iter().chain(all.get(index + 1));
            let common =
                neighbours.map(|(other, _)| ((digits ^ other).leading_zeros() / 4) as usize);
            let length = common.max().map_or(0, |common| common + 1);
            lengths.insert(*id, length.clamp(MIN_SHOWN, WHOLE));
        }
        lengths
    }

    /// Returns which of these tasks a text names: by its whole id, by an end that was shown, or by any end that is
    /// unambiguous among them. A number below 1000 is an id of the console and names none of them.
    pub fn find(&self, text: &str, tasks: &[TaskId]) -> Named {
        let text = text.trim().to_ascii_lowercase();
        let listed = |id: &TaskId| {
            if tasks.contains(id) {
                Named::Task(*id)
            } else {
                Named::Nothing
            }
        };
        if let Ok(id) = TaskId::parse(&text) {
            return listed(&id);
        }
        // Any integer was an id of the console, and a short one is what its users type.
        let is_integer = {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(&text);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        if is_integer && text.len() < MIN_SHOWN {
            return Named::Nothing;
        }
        let is_end = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_end || text.len() > WHOLE {
            return if is_integer {
                Named::Nothing
            } else {
                Named::Malformed
            };
        }
        let has_end = |id: &&TaskId| digits(**id).ends_with(&text);
        let shown = self
            .shown
            .iter()
            .filter(|(_, length)| **length <= text.len());
        let shown: Vec<_> = shown.map(|(id, _)| id).filter(has_end).collect();
        let found: Vec<_> = tasks.iter().filter(has_end).collect();
        match (shown.as_slice(), found.as_slice()) {
            ([id], _) => listed(id),
            // Two commands showed it at the same time.
            ([_, _, ..], _) => Named::Several(shown.len()),
            ([], [id]) => Named::Task(**id),
            ([], []) if is_integer || text.len() >= MIN_SHOWN => Named::Nothing,
            ([], []) => Named::Malformed,
            ([], several) => Named::Several(several.len()),
        }
    }
}

/// Returns the digits of an id in the opposite order, so that ids with a common end are neighbours when sorted.
fn reversed(id: TaskId) -> u128 {
    const LOW: u128 = 0x0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f;
    let bytes = id.as_uuid().as_u128().swap_bytes();
    ((bytes & LOW) << 4) | ((bytes >> 4) & LOW)
}

/// Returns the digits of an id.
fn digits(id: TaskId) -> String {
    format!("{:032x}", id.as_uuid().as_u128())
}

/// Returns the last digits of an id; the id itself if it is all of them.
fn end(id: TaskId, length: usize) -> String {
    if length >= WHOLE {
        return id.to_string();
    }
    let digits = digits(id);
    digits.get(WHOLE - length..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(end: &str) -> TaskId {
        let digits = format!("{end:0>32}");
        TaskId::parse(&format!(
            "{}-{}-{}-{}-{}",
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..]
        ))
        .unwrap()
    }

    #[test]
    fn the_shortest_unambiguous_end_of_four_digits_or_more_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let mut ends = Ends::open(folder.path());
        let tasks = [id("1abcd"), id("2abcd"), id("12345678")];
        assert_eq!(ends.show(&tasks, &tasks), ["1abcd", "2abcd", "5678"]);
        assert_eq!(ends.find("5678", &tasks), Named::Task(tasks[2]));
        assert_eq!(ends.find(" e5678 ", &tasks), Named::Nothing);
        assert_eq!(
            ends.find("8", &tasks),
            Named::Nothing,
            "an id of the console"
        );
        assert_eq!(ends.find("bcd", &tasks[1..]), Named::Task(tasks[1]));
        assert_eq!(ends.find("ABCD", &tasks), Named::Several(2));
        let plain = tasks[1].to_string().replace('-', "");
        assert_eq!(ends.find(&plain, &tasks), Named::Task(tasks[1]));
        assert_eq!(
            ends.find(&tasks[1].to_string().to_uppercase(), &tasks),
            Named::Task(tasks[1])
        );
    }

    #[test]
    fn an_end_that_was_shown_never_names_another_task() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (id("1abcd"), id("2abcd"));
        assert_eq!(Ends::open(folder.path()).show(&[old], &[old]), ["abcd"]);

        // The file is read again, as by the next command.
        let mut ends = Ends::open(folder.path());
        assert_eq!(ends.find("abcd", &[old, new]), Named::Task(old));
        assert_eq!(ends.show(&[old, new], &[old, new]), ["1abcd", "2abcd"]);
        assert_eq!(ends.find("abcd", &[new]), Named::Nothing);
        assert_eq!(ends.find("2abcd", &[new]), Named::Task(new));
        assert_eq!(ends.show(&[new], &[new]), ["2abcd"]);
    }

    #[test]
    fn integers_are_ids_of_no_task_and_other_short_texts_are_malformed() {
        let folder = tempfile::tempdir().unwrap();
        let ends = Ends::open(folder.path());
        for text in [
            "7",
            "0",
            "-1",
            " 1 ",
            "99999999999999999999",
            "+7",
            "ffff",
            &id("1").to_string(),
        ] {
            assert_eq!(ends.find(text, &[]), Named::Nothing, "{text:?}");
        }
        for text in [
            "",
            " ",
            "abc",
            "x",
            "1.5",
            "task",
            "abcd-",
            "-",
            &"a".repeat(33),
        ] {
            assert_eq!(ends.find(text, &[]), Named::Malformed, "{text:?}");
        }
    }

    #[test]
    fn ends_of_many_tasks_are_unambiguous_and_name_them() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = 1_u128;
        let tasks: Vec<_> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
                .wrapping_add(0x5851);
            id(&format!("{:08x}", state >> 96))
        })
        .take(2_000)
        .collect();
        let mut ends = Ends::open(folder.path());
        let shown = ends.show(&tasks, &tasks);
        assert!(shown.iter().any(|end| end.len() > MIN_SHOWN));
        for (task, end) in tasks.iter().zip(&shown) {
            assert_eq!(ends.find(end, &tasks), Named::Task(*task), "{end}");
        }
    }
}
