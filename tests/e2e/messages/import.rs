//! What `taskhold import` says of files that it cannot read, and its report.

use std::fs;

use super::assert_says;
use crate::service::{Database, run, run_with_input};

#[test]
fn file_of_another_encoding_is_called_what_it_is() {
    let database = Database::sqlite();
    let variables = [("DATABASE_URL", database.url.as_str())];
    let utf_16 = |mark: &[u8], text: &str, bytes: fn(u16) -> [u8; 2]| {
        let units = text.encode_utf16().flat_map(bytes);
        mark.iter().copied().chain(units).collect::<Vec<_>>()
    };
    let task = r#"[{"id": 1, "title": "Grün"}]"#;
    let (utf_16_text, compressed) = (
        "the file is UTF-16: save it as UTF-8",
        "the file is compressed: unpack it first",
    );
    for (written, format, expected) in [
        (
            utf_16(b"\xff\xfe", task, u16::to_le_bytes),
            None,
            utf_16_text,
        ),
        (
            utf_16(b"\xfe\xff", task, u16::to_be_bytes),
            None,
            utf_16_text,
        ),
        (
            utf_16(b"", task, u16::to_le_bytes),
            Some("console"),
            utf_16_text,
        ),
        (
            utf_16(b"", task, u16::to_be_bytes),
            Some("ndjson"),
            utf_16_text,
        ),
        (b"\x1f\x8b\x08\0".to_vec(), None, compressed),
        (b"PK\x03\x04".to_vec(), None, compressed),
    ] {
        fs::write(database.folder.path().join("tasks.json"), written).expect("written");
        let format = format.map_or_else(Vec::new, |format| vec!["--format", format]);
        let arguments = [&["import", "tasks.json"], &format[..]].concat();
        let output = run(database.folder.path(), &variables, &arguments);
        assert_says(
            &output,
            1,
            &format!("taskhold: tasks.json: line 1, column 1: {expected}"),
        );
    }
}

#[test]
fn refused_import_leaves_no_older_report() {
    let database = Database::sqlite();
    let folder = database.folder.path();
    let variables = [("DATABASE_URL", database.url.as_str())];
    let import = |file: &str, more: &[&str]| {
        let arguments = [&["import", file, "--report", "report.json"], more].concat();
        run(folder, &variables, &arguments)
    };
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("written");
    write("good.json", r#"[{"id": 1, "title": "one", "colour": 1}]"#);
    write("bad.json", "no tasks");
    let report = folder.join("report.json");
    for (file, more) in [
        ("bad.json", &[][..]),
        ("missing.json", &[]),
        ("good.json", &["--strict"]),
        ("good.json", &["--user", "nobody@example.org"]),
    ] {
        let output = import("good.json", &[]);
        assert!(output.status.success() && report.exists(), "{output:?}");
        let output = import(file, more);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(!report.exists(), "{file} {more:?}");
    }
    let output = run(
        folder,
        &variables,
        &["import", "good.json", "--report", "./good.json"],
    );
    assert_says(
        &output,
        1,
        "taskhold: --report: ./good.json is the file to import",
    );
    assert!(folder.join("good.json").exists());
    let piped = run_with_input(
        folder,
        &variables,
        &["import", "-", "--report", "report.json"],
        "[]",
    );
    assert!(piped.status.success(), "{piped:?}");
}
