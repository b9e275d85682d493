//! Valid and invalid files.

use taskhold_domain::import::RowError;

use super::*;

fn rows(file: impl AsRef<[u8]>) -> Result<Vec<Row>, String> {
    rows_of(file, None)
}

fn rows_of(file: impl AsRef<[u8]>, format: Option<Format>) -> Result<Vec<Row>, String> {
    // The chunks are small, so that every value is cut somewhere.
    let chunks = std::io::BufReader::with_capacity(3, file.as_ref());
    let mut rows = Vec::new();
    let read = read_rows(chunks, format, |row| {
        rows.push(row);
        ControlFlow::Continue(())
    });
    read.map(|_| rows).map_err(|error| error.to_string())
}

fn errors(file: impl AsRef<[u8]>) -> Vec<(u64, Option<RowError>)> {
    let rows = rows(file).expect("a file");
    rows.into_iter()
        .map(|row| (row.position, row.content.err()))
        .collect()
}

const GOOD: &str = r#"{"id": 1, "title": "t"}"#;

#[test]
fn arrays_of_any_layout_are_read() {
    for file in [
        format!("[{GOOD},{GOOD}]"),
        format!(" \n[\r\n\t{GOOD} ,\n{GOOD}\n]\n\n"),
        format!("\u{FEFF}[{GOOD},{GOOD}]"),
        r#"[{"title":"a]}\",[","id":1,"x":{"y":[[],{}]}},{"id":1,"title":"\\"}]"#.to_owned(),
    ] {
        assert_eq!(errors(&file), [(1, None), (2, None)], "{file}");
    }
    assert_eq!(errors("[]"), []);
    assert_eq!(errors(" [ ] "), []);
}

#[test]
fn invalid_row_does_not_affect_others() {
    let cases = [
        ("1", "a row must be an object"),
        ("null", "a row must be an object"),
        (r#""text""#, "a row must be an object"),
        (r#"[{"id": 1}]"#, "a row must be an object"),
        (
            r#"{"id": 1, "title": "a\u0000"}"#,
            "Task title must not contain NUL characters",
        ),
        (r#"{"id": 1, "title": "\ud800"}"#, ""),
        (r#"{"id": 1, "title": "\udc00x"}"#, ""),
        (r#"{"id": 1.0, "title": "t"}"#, "id must be a whole number"),
        (r#"{"id": "1", "title": "t"}"#, "id must be a whole number"),
        (r#"{"id": true, "title": "t"}"#, "id must be a whole number"),
        (
            r#"{"id": 9223372036854775808, "title": "t"}"#,
            "id must be a whole number",
        ),
        (r#"{"id": 1e999, "title": "t"}"#, "number out of range"),
        (
            r#"{"id": 1, "title": ["t"]}"#,
            "Task title must be a non-empty string",
        ),
        (
            r#"{"id": 1, "title": "t", "completed": 1}"#,
            "Task completed status",
        ),
    ];
    for (row, reason) in cases {
        let found = errors(format!("[{GOOD}, {row}, {GOOD}]"));
        let [(1, None), (2, Some(error)), (3, None)] = found.as_slice() else {
            panic!("{row}: {found:?}")
        };
        assert!(error.to_string().contains(reason), "{row}: {error}");
    }
}

#[test]
fn last_duplicate_member_counts_and_unknown_members_are_ignored() {
    for (row, is_valid) in [
        (r#"{"id": "x", "title": "t", "id": 1}"#, true),
        (r#"{"id": 1, "title": "t", "id": "x"}"#, false),
        (
            r#"{"id": 1, "title": "t", "priority": {"a": [1e999]}}"#,
            true,
        ),
        (r#"{"id": 1, "title": "t", "note": "\ud800"}"#, true),
    ] {
        assert_eq!(errors(format!("[{row}]"))[0].1.is_none(), is_valid, "{row}");
    }
}

#[test]
fn invalid_files_are_reported_with_line_and_column() {
    for (file, expected) in [
        ("", "line 1, column 1: the file is empty"),
        (" \n ", "line 2, column 2: the file is empty"),
        ("\u{FEFF}", "line 1, column 1: the file is empty"),
        ("nonsense", "line 1, column 1: the file is neither"),
        ("\"text\"", "line 1, column 1: the file is neither"),
        (
            "{\n  \"tasks\": []\n}",
            "line 1, column 1: the file is neither",
        ),
        ("{\"tasks\": []}", "line 1, column 1: the file is neither"),
        (
            "{\"id\": 1, \"title\": \"t\"}",
            "line 1, column 1: the file is neither",
        ),
        ("[", "line 1, column 2: the file is cut short"),
        (
            "[\n  {\"id\": 1",
            "line 2, column 11: the file is cut short",
        ),
        (
            "[{\"title\": \"é",
            "line 1, column 14: the file is cut short",
        ),
        ("[1", "line 1, column 3: the file is cut short"),
        ("[1,", "line 1, column 4: the file is cut short"),
        ("[1,]", "line 1, column 4: the file is not JSON"),
        ("[,1]", "line 1, column 2: the file is not JSON"),
        ("[1 2]", "line 1, column 4: the file is not JSON"),
        ("[1]x", "line 1, column 4: the file is not JSON"),
        ("[1][2]", "line 1, column 4: the file is not JSON"),
        ("[NaN]", "line 1, column 2: the file is not JSON"),
        ("[-]", "line 1, column 3: the file is not JSON"),
        ("[1e5", "line 1, column 5: the file is cut short"),
        (
            "[{\"id\": Infinity}]",
            "line 1, column 9: the file is not JSON",
        ),
        ("[\n {\"é\" 1}]", "line 2, column 7: the file is not JSON"),
        ("['a']", "line 1, column 2: the file is not JSON"),
        ("[\"a\nb\"]", "the file is not JSON"),
    ] {
        let error = rows(file).expect_err(file);
        assert!(error.contains(expected), "{file:?}: {error}");
    }
    let not_utf8 = rows(b"[\"\xC3\xA9\xFF\"]").expect_err("bytes");
    assert_eq!(not_utf8, "line 1, column 4: the file is not UTF-8");
    let not_utf8 = rows(b"\xFF\xFE[\0").expect_err("UTF-16");
    assert!(not_utf8.starts_with("line 1, column 1"), "{not_utf8}");
    let huge = "x".repeat(2 << 20);
    let array = rows(format!("[\"{huge}\"]")).expect_err("huge");
    assert!(array.contains("larger than 1 MiB"), "{array}");
    let object = rows(format!("{{\"tasks\": \"{huge}\"}}")).expect_err("huge");
    assert!(object.contains("the file is neither"), "{object}");
}

#[test]
fn deeply_nested_brackets_do_not_overflow_the_stack() {
    let nested = "[".repeat(100_000);
    assert!(rows(&nested).expect_err("cut").contains("cut short"));
    let nested = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(errors(nested), [(1, Some(RowError::NotObject))]);
}

#[test]
fn ndjson_is_read_line_by_line() {
    let id = "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";
    let line = format!(r#"{{"id":"{id}","title":"t","version":3}}"#);
    let file = format!("{line}\n\n{line}\r\n{{\"id\":7,\"title\":\"t\"}}\n{line}");
    assert_eq!(
        errors(&file),
        [(1, None), (2, None), (3, Some(RowError::TaskId)), (4, None)]
    );
    let torn = format!("{line}\n{}", line.get(..20).expect("longer"));
    assert_eq!(
        rows(torn).expect_err("torn"),
        "line 2, column 21: the file is cut short"
    );
}

#[test]
fn given_format_is_required() {
    let id = "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";
    let (array, lines) = (
        format!("[{GOOD}]"),
        format!(r#"{{"id":"{id}","title":"t"}}"#),
    );
    let console = |file: &str| rows_of(file, Some(Format::Console)).map(|rows| rows.len());
    let ndjson = |file: &str| rows_of(file, Some(Format::Ndjson)).map(|rows| rows.len());
    assert_eq!(console(&array), Ok(1));
    assert_eq!(ndjson(&lines), Ok(1));
    // A given format is not detected from the first line.
    let rows = rows_of(GOOD, Some(Format::Ndjson)).expect("a file");
    assert_eq!(rows[0].content, Err(RowError::TaskId));
    for nothing in ["", " \n\r\n\t", "\u{FEFF}", "\u{FEFF}\n"] {
        assert_eq!(ndjson(nothing), Ok(0), "{nothing:?}");
        assert!(console(nothing).expect_err("empty").contains("is empty"));
    }
    let error = console(&lines).expect_err("lines");
    assert_eq!(
        error,
        "line 1, column 1: the file is no array of tasks, as the console writes it"
    );
    for other in [&array, "nonsense", "null"] {
        let error = ndjson(other).expect_err(other);
        assert_eq!(
            error,
            "line 1, column 1: the file does not have a task on each line"
        );
    }
    assert!(ndjson("{").expect_err("torn").contains("cut short"));
}

/// An array that never ends.
#[derive(Default)]
struct EndlessArray {
    position: usize,
}

impl io::Read for EndlessArray {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let row = format!(",\n{GOOD}");
        for byte in out.iter_mut() {
            // The opening bracket stands in place of the first comma.
            *byte = match self.position {
                0 => b'[',
                position => row.as_bytes()[position % row.len()],
            };
            self.position += 1;
        }
        Ok(out.len())
    }
}

#[test]
fn rows_are_read_one_by_one_until_told_to_stop() {
    let array = io::BufReader::new(EndlessArray::default());
    let mut last = 0;
    let read = read_rows(array, None, |row| {
        assert_eq!(row.content.err(), None);
        last = row.position;
        if last < 100_000 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    read.expect("stopped");
    assert_eq!(last, 100_000);
}

#[test]
fn unknown_members_are_counted_by_name() {
    let unknown = |file: &str, format| {
        let read = read_rows(file.as_bytes(), Some(format), |_| ControlFlow::Continue(()));
        let unknown = read.expect("a file");
        let names: Vec<_> = unknown
            .iter()
            .map(|(name, rows)| (name.to_owned(), rows))
            .collect();
        names
    };
    let file = r#"[{"id": 1, "content": "old format", "done": true},
        {"id": 2, "title": "t", "content": "beside a title", "done": 1, "done": [2], "x": {"y": 1}},
        {"id": 3, "title": "", "Title": "rejected", "version": 1}, 4]"#;
    let expected = [
        ("done", 2),
        ("Title", 1),
        ("content", 1),
        ("version", 1),
        ("x", 1),
    ];
    let expected = expected.map(|(name, rows)| (name.to_owned(), rows));
    assert_eq!(unknown(file, Format::Console), expected);
    let line = r#"{"id": "x", "title": "t", "description": "", "completed": false, "user_id": "u", "version": 1,
        "created_at": null, "updated_at": null, "content": "c"}"#;
    assert_eq!(unknown(line, Format::Ndjson), [("content".to_owned(), 1)]);
}
