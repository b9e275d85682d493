//! `docs/requirements.md`: every requirement has a row, and every test, target and file in a row exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const MATRIX: &str = include_str!("../../docs/requirements.md");
const MAKEFILE: &str = include_str!("../../Makefile");
/// The module of the contract suite, whose macro lists the names of its tests.
const CONTRACT: &str = "crates/testkit/src/contract";

/// Each kind of requirement: its letter, how many there are, and the number of digits.
const REQUIREMENTS: [(char, usize, usize); 9] = [
    ('A', 46, 2),
    ('B', 29, 2),
    ('S', 12, 1),
    ('L', 8, 1),
    ('W', 7, 1),
    ('K', 3, 1),
    ('G', 7, 1),
    ('C', 4, 1),
    ('M', 6, 1),
];

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the cells of each row whose first cell names requirements.
fn rows() -> Vec<Vec<&'static str>> {
    MATRIX
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").collect())
        .filter(|cells: &Vec<_>| cells[0].contains(|character: char| character.is_ascii_digit()))
        .collect()
}

/// Expands a cell such as `A01, A03 to A05` to single requirements.
fn numbers(cell: &str) -> Vec<String> {
    let mut numbers = Vec::new();
    for part in cell.split(", ") {
        let (first, last) = part.split_once(" to ").unwrap_or((part, part));
        let kind = &first[..1];
        let [from, to] = [first, last].map(|number| {
            let digits = number.strip_prefix(kind).expect("of one kind");
            digits.parse::<usize>().unwrap_or_else(|_| panic!("{cell}"))
        });
        let width = first.len() - 1;
        numbers.extend((from..=to).map(|number| format!("{kind}{number:0width$}")));
    }
    numbers
}

/// Returns the texts between backquotes.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Returns whether the file has a test of this name: a function with a test attribute, or one in the list of a
/// macro that defines tests.
pub fn has_test(path: &str, name: &str) -> bool {
    let text = read(path);
    let Some(at) = text.find(&format!("fn {name}(")) else {
        return false;
    };
    let before = text[..at].rsplit("\n\n").next().unwrap_or_default();
    let listed = |text: &str, macro_name: &str| {
        let lists = text.split(macro_name).skip(1);
        let mut words = lists.flat_map(|list| {
            let end = list.find(['}', ')']).unwrap_or(list.len());
            list[..end].split_whitespace()
        });
        words.any(|word| word == name)
    };
    let mut attributes = before.lines().map(str::trim);
    attributes
        .any(|line| line.starts_with("#[") && !line.starts_with("#[cfg") && line.contains("test"))
        || listed(&text, "on_both_stores! {")
        || listed(&text, "on_all_pairs! {")
        || path.strip_prefix(CONTRACT).is_some_and(|file| {
            let topic = file.trim_matches('/').trim_end_matches(".rs");
            listed(
                &read(&format!("{CONTRACT}.rs")),
                &format!("@tests $open; {topic}:"),
            )
        })
}

#[test]
fn every_requirement_has_one_row() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        for number in numbers(row[0]) {
            assert!(seen.insert(number.clone()), "{number} has two rows");
        }
    }
    let all = REQUIREMENTS.iter().flat_map(|&(kind, count, width)| {
        (1..=count).map(move |number| format!("{kind}{number:0width$}"))
    });
    assert_eq!(seen, all.collect::<BTreeSet<_>>());
}

#[test]
fn named_tests_targets_and_files_exist() {
    for name in named(MATRIX) {
        if let Some((path, test)) = name.split_once("::") {
            assert!(has_test(path, test), "there is no test {name}");
        } else if let Some(target) = name.strip_prefix("make ") {
            let rule = format!("\n{target}:");
            assert!(MAKEFILE.contains(&rule), "there is no {name}");
        } else if name.contains('/') && !name.starts_with('/') && !name.contains(' ') {
            assert!(repository().join(name).exists(), "there is no {name}");
        }
    }
}

#[test]
fn every_requirement_names_a_test_or_a_target() {
    for row in rows() {
        let [number, _, _, shown] = row.as_slice() else {
            panic!("four cells, and not {row:?}");
        };
        let mut names = named(shown).peekable();
        assert!(names.peek().is_some(), "{number} is shown by nothing");
        for name in names {
            let is_either = name.contains("::") || name.starts_with("make ");
            assert!(is_either, "{number}: {name} shows nothing");
        }
    }
}
