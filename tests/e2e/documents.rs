//! The documents: links lead somewhere, pages can be found, blocks for a shell are run, what pages name
//! exists, and tables say what the program does.

mod reference;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;

use pulldown_cmark::{
    BrokenLink, CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd,
};
use url::Url;

use crate::deployment::assert_are_settings;
use crate::guide::examples;
use crate::requirements::{has_test, read, repository};

/// Which test runs all blocks `sh` of a page.
const RUN: [(&str, &str, &str); 6] = [
    (
        "README.md",
        "tests/e2e/guide.rs",
        "the_session_of_the_readme_works_when_pasted",
    ),
    (
        "docs/api.md",
        "tests/e2e/guide.rs",
        "every_example_of_the_api_guide_answers_as_it_says",
    ),
    (
        "docs/command-line.md",
        "tests/e2e/guide.rs",
        "the_command_line_works_as_its_page_says",
    ),
    (
        "docs/moving-from-the-console.md",
        "tests/e2e/guide.rs",
        "the_move_from_the_console_works_when_pasted",
    ),
    (
        "docs/operations/logs.md",
        "tests/e2e/guide.rs",
        "a_users_lines_are_found_as_the_page_of_logs_says",
    ),
    (
        "docs/operations/backup.md",
        "tests/e2e/runbook.rs",
        "runbook_examples_print_the_documented_output",
    ),
];

/// What is drawn where it is measured, and may not be there yet.
const DRAWN: &str = "docs/performance/growth.svg";

/// The pages, by their paths in the repository.
fn pages() -> HashMap<String, String> {
    let mut pages: HashMap<_, _> = ["README", "CONTRIBUTING", "CHANGELOG", "SECURITY"]
        .map(|name| format!("{name}.md"))
        .map(|path| (path.clone(), read(&path)))
        .into();
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(repository().join(&folder)).expect("a folder") {
            let entry = entry.expect("an entry");
            let path = format!("{folder}/{}", entry.file_name().display());
            if entry.path().is_dir() {
                folders.push(path);
            } else if entry
                .path()
                .extension()
                .is_some_and(|ending| ending == "md")
            {
                let text = read(&path);
                pages.insert(path, text);
            }
        }
    }
    assert!(pages.len() > 30, "{:?}", pages.keys());
    pages
}

/// A reference that nothing defines leads to what it is called, which is nowhere. A word in brackets is
/// just that.
fn undefined(link: BrokenLink<'_>) -> Option<(CowStr<'_>, CowStr<'_>)> {
    let is_meant = matches!(link.link_type, LinkType::Reference | LinkType::Collapsed);
    is_meant.then(|| (link.reference, "".into()))
}

fn events(text: &str) -> impl Iterator<Item = Event<'_>> {
    Parser::new_with_broken_link_callback(text, Options::ENABLE_TABLES, Some(undefined))
}

fn links(text: &str) -> impl Iterator<Item = String> {
    events(text).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.into_string())
        }
        _ => None,
    })
}

/// What a heading is called in a link, as the usual hosts of repositories make it.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut heading = None;
    for event in events(text) {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
            (Event::Text(part) | Event::Code(part), Some(heading)) => heading.push_str(&part),
            (Event::End(TagEnd::Heading(_)), Some(heading)) => {
                let kept = heading.chars().filter_map(|character| match character {
                    ' ' => Some('-'),
                    '-' | '_' => Some(character),
                    _ => character.is_alphanumeric().then_some(character),
                });
                let anchor = kept.collect::<String>().to_lowercase();
                assert!(anchors.insert(anchor), "two headings are {heading}");
            }
            _ => {}
        }
    }
    anchors
}

/// The file that a link of a page leads to, and the place in it; none for one to elsewhere.
fn target(page: &str, link: &str) -> Option<(PathBuf, String)> {
    if let Ok(elsewhere) = Url::parse(link) {
        let is_complete = ["http", "https"].contains(&elsewhere.scheme()) && elsewhere.has_host();
        assert!(is_complete, "{page}: {link} is no address of a page");
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let file = if path.is_empty() {
        repository().join(page)
    } else {
        repository().join(page).with_file_name("").join(path)
    };
    let file = file
        .canonicalize()
        .unwrap_or_else(|error| panic!("{page}: {link}: {error}"));
    let root = repository().canonicalize().expect("the repository");
    let file = file
        .strip_prefix(root)
        .unwrap_or_else(|_| panic!("{page}: {link} leads out of the repository"));
    Some((file.to_owned(), anchor.to_owned()))
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut followed = 0;
    for (page, text) in &pages {
        for link in links(text) {
            followed += 1;
            let Some((file, anchor)) = target(page, &link) else {
                continue;
            };
            if !anchor.is_empty() {
                let text = file.to_str().and_then(|file| pages.get(file));
                let text = text.unwrap_or_else(|| panic!("{page}: {link} has a place in no page"));
                assert!(
                    anchors(text).contains(&anchor),
                    "{page}: {link} names no heading"
                );
            }
        }
    }
    assert!(followed > 100, "{followed} links");
}

#[test]
fn every_page_can_be_found_from_the_readme() {
    let pages = pages();
    let mut found = BTreeSet::new();
    let mut next = vec!["README.md".to_owned()];
    while let Some(page) = next.pop() {
        let Some(text) = pages.get(&page) else {
            continue;
        };
        if found.insert(page.clone()) {
            let files = links(text).filter_map(|link| target(&page, &link));
            next.extend(files.map(|(file, _)| file.display().to_string()));
        }
    }
    let lost: Vec<_> = pages.keys().filter(|page| !found.contains(*page)).collect();
    assert!(lost.is_empty(), "nothing leads to {lost:?}");
}

fn has_target(name: &str) -> bool {
    read("Makefile").contains(&format!("\n{name}:"))
}

/// The code on a page, without blocks.
fn codes(text: &str) -> impl Iterator<Item = String> {
    events(text).filter_map(|event| match event {
        Event::Code(code) => Some(code.into_string()),
        _ => None,
    })
}

/// Files, tests and targets of make that a text speaks of.
#[test]
fn what_a_page_names_is_there() {
    let folders = ["config", "crates", "docs", "migration", "scripts", "tests"];
    let mut named = 0;
    for (page, text) in pages() {
        for name in codes(&text) {
            let is_path = name
                .split_once('/')
                .is_some_and(|(first, _)| folders.contains(&first));
            let is_there = if let Some(target) = name.strip_prefix("make ") {
                has_target(target.split(' ').next().unwrap_or_default())
            } else if let Some((path, item)) = name.split_once("::").filter(|_| is_path) {
                // The values of constants are compared in `reference`.
                has_test(path, item) || read(path).contains(&format!("{item}: "))
            } else if is_path {
                let is_pattern = name.contains(['*', ' ', ':', '{']) || name.contains("YYYY");
                is_pattern || *name == *DRAWN || repository().join(&*name).exists()
            } else {
                continue;
            };
            assert!(is_there, "{page}: there is no {name}");
            named += 1;
        }
    }
    assert!(named > 100, "{named} names");
}

#[test]
fn every_invariant_names_a_test_that_holds_it() {
    let mut invariants = 0;
    for (page, text) in pages() {
        for invariant in text.split("\n> **Invariant:** ").skip(1) {
            let invariant = invariant.split("\n\n").next().unwrap_or_default();
            let invariant = invariant.replace("\n>", "");
            let (_, holders) = invariant
                .split_once("Held by ")
                .unwrap_or_else(|| panic!("{page}: who holds that {invariant}"));
            let mut tests = 0;
            for name in codes(holders) {
                let (path, test) = name
                    .split_once("::")
                    .unwrap_or_else(|| panic!("{page}: {name} is no test"));
                assert!(has_test(path, test), "{page}: there is no test {name}");
                tests += 1;
            }
            assert!(tests > 0, "{page}: who holds that {invariant}");
            invariants += 1;
        }
    }
    assert!(invariants >= 10, "{invariants} invariants");
}

/// Every function of the sources and tests, by its name.
fn functions() -> BTreeSet<String> {
    let mut functions = BTreeSet::new();
    let mut folders = ["crates", "migration", "tests"]
        .map(|name| repository().join(name))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                let names = text.split("fn ").skip(1);
                functions.extend(names.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())));
            }
        }
    }
    functions
}

#[test]
fn every_threat_names_tests_that_are_there() {
    let functions = functions();
    let page = read("docs/security.md");
    let (_, threats) = page.split_once("\n| threat | test |\n").expect("a table");
    let mut tests = 0;
    for row in threats
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
    {
        let cell = row
            .trim_end_matches(" |")
            .rsplit(" | ")
            .next()
            .unwrap_or_default();
        for name in codes(cell).filter(|name| !name.contains('.')) {
            assert!(functions.contains(&name), "there is no test {name}");
            tests += 1;
        }
    }
    assert!(tests > 40, "{tests} tests");
}

/// A block of code: its language, what a comment right before it says, and its text.
struct Block {
    language: String,
    comment: String,
    text: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut comment, mut is_within) = (String::new(), false);
    for event in events(text) {
        match event {
            Event::Html(line) => comment.push_str(&line),
            Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match kind {
                    CodeBlockKind::Fenced(language) => language.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                blocks.push(Block {
                    language,
                    comment: std::mem::take(&mut comment),
                    text: String::new(),
                });
                is_within = true;
            }
            Event::Text(line) if is_within => {
                blocks.last_mut().expect("a block").text.push_str(&line);
            }
            other => {
                is_within &= !matches!(other, Event::End(TagEnd::CodeBlock));
                comment.clear();
            }
        }
    }
    blocks
}

/// Why it is not run, as the comment before it says.
fn reason(block: &Block) -> &str {
    let reason = block
        .comment
        .trim()
        .strip_prefix("<!-- not run: ")
        .and_then(|rest| rest.strip_suffix(" -->"));
    reason.unwrap_or_default()
}

/// `sh` is run by a test; `bash` is not, for a reason that is given. What it makes is there at least.
#[test]
fn every_shell_block_is_run_or_says_why_not() {
    for (page, text) in pages() {
        let mut to_be_run = 0;
        for block in blocks(&text) {
            let Block { language, text, .. } = &block;
            match language.as_str() {
                "sh" => to_be_run += 1,
                "bash" => {
                    assert!(!reason(&block).is_empty(), "{page}: why not?\n{text}");
                    assert_starts_what_there_is(&page, text);
                }
                "" | "shell" | "console" | "zsh" => {
                    panic!("{page}: say `sh`, `bash` or what else it is\n{text}")
                }
                _ => {}
            }
        }
        assert_eq!(
            examples(&text).len(),
            to_be_run,
            "{page}: `sh` is indented somewhere"
        );
        let test = RUN.iter().find(|(run, ..)| *run == page);
        assert_eq!(test.is_some(), to_be_run > 0, "{page}: who runs it?");
    }
    for (page, file, test) in RUN {
        assert!(has_test(file, test), "{page}: there is no {test}");
    }
}

/// The scripts and targets of make in a block that is not run.
fn assert_starts_what_there_is(page: &str, text: &str) {
    let words: Vec<_> = text.split_whitespace().collect();
    for (number, word) in words.iter().enumerate() {
        let target = words.get(number + 1).filter(|_| *word == "make");
        if let Some(target) = target {
            assert!(has_target(target), "{page}: there is no make {target}");
        }
        if word.starts_with("scripts/") {
            let is_there = repository().join(word).is_file();
            assert!(is_there, "{page}: there is no {word}");
        }
    }
}

fn variable(line: &str) -> (String, String) {
    let (name, value) = line
        .split_once('=')
        .unwrap_or_else(|| panic!("{line} sets nothing"));
    (name.to_owned(), value.trim_matches('\'').to_owned())
}

/// Blocks `dotenv` are given to the program as a whole; of `.env.example` each line by itself, since some
/// exclude others.
#[test]
fn every_documented_setting_is_one() {
    let mut blocks: Vec<Vec<_>> = pages()
        .values()
        .flat_map(|text| blocks(text))
        .filter(|block| block.language == "dotenv")
        .map(|block| block.text.lines().map(variable).collect())
        .collect();
    assert!(blocks.len() >= 4, "{blocks:?}");
    let example = read(".env.example");
    let lines = example
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| !line.starts_with(' ') && !line.is_empty());
    blocks.extend(lines.map(|line| vec![variable(line)]));
    for block in blocks {
        assert_are_settings(&block);
    }
}
