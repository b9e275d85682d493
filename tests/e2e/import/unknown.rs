//! Members of rows that Taskhold does not know.

use serde_json::{Value, json};

use crate::commands::text;
use crate::service::Database;

#[test]
fn unknown_members_are_named() {
    let database = Database::sqlite();
    let file = database.file(
        r#"[{"id": 1, "title": "a", "done": true, "dueDate": "2026-12-01", "color": "red"},
            {"id": 2, "title": "b", "done": true, "user": "bob"}, {"id": 3, "title": "", "is_completed": true}]"#,
    );
    let refused = database.taskhold(&["import", &file, "--strict"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    for name in ["done in 2 rows", "dueDate in 1 row", "color in 1 row"] {
        assert!(text(&refused.stderr).contains(name), "{refused:?}");
    }
    assert_eq!(text(&refused.stdout), "");
    for options in [&["--dry-run"][..], &[]] {
        let output = database.taskhold(&[&["import", &file], options].concat());
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let (summary, warnings) = (text(&output.stdout), text(&output.stderr));
        for name in ["done", "dueDate", "color", "user", "is_completed"] {
            assert!(summary.contains(&format!("  {name} in ")), "{summary}");
            let is_warned = warnings.contains(&format!("warning: {name} ("));
            assert_eq!(is_warned, name != "color", "{name}: {warnings}");
        }
    }
    let (_, report) = database.import(&file, &[]);
    let found = report["unknown_members"].as_array().expect("a list");
    let looks = |name: &str| {
        let member = found.iter().find(|member| member["name"] == name);
        let member = member.unwrap_or_else(|| panic!("{report}"));
        (member["rows"].clone(), member["looks_like"].clone())
    };
    assert_eq!(looks("done"), (json!(2), json!("completion")));
    assert_eq!(looks("user"), (json!(1), json!("owner")));
    assert_eq!(looks("dueDate"), (json!(1), json!("date")));
    assert_eq!(looks("color"), (json!(1), Value::Null));
    let known = database.file(r#"[{"id": 9, "title": "a", "completed": true}]"#);
    assert_eq!(database.import(&known, &["--strict"]).0, 0);
}
