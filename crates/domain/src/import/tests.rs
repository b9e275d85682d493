use super::*;

fn text(raw: &str) -> Member<String> {
    Member::Given(raw.to_owned())
}

/// A valid row without optional members.
fn minimal() -> ConsoleRow {
    let mut row = ConsoleRow {
        id: Member::Given(1),
        ..ConsoleRow::default()
    };
    row.rest.task.title = text("Buy milk");
    row
}

fn read(change: impl FnOnce(&mut ConsoleRow)) -> Result<RowTask, String> {
    let mut row = minimal();
    change(&mut row);
    row.into_task()
        .map(|(_, task)| task)
        .map_err(|error| error.to_string())
}

#[test]
fn console_ids_are_whole_numbers_from_1() {
    for (id, is_valid) in [
        (Member::Given(1), true),
        (Member::Given(i64::MAX), true),
        (Member::Given(0), false),
        (Member::Given(-1), false),
        (Member::Absent, false),
        (Member::Null, false),
        (Member::WrongType, false),
    ] {
        let row = ConsoleRow { id, ..minimal() };
        assert_eq!(row.into_task().is_ok(), is_valid, "{id:?}");
    }
}

#[test]
fn missing_and_null_members_get_defaults() {
    let task = read(|_| ()).expect("a valid row");
    assert_eq!(task.draft.description.as_str(), "");
    assert!(!task.draft.completed);
    assert_eq!(
        (task.owner, task.created_at, task.updated_at),
        (None, None, None)
    );
    let task = read(|row| {
        row.rest.task.description = Member::Null;
        row.rest.owner = Member::Null;
        row.rest.created_at = Member::Null;
        row.rest.updated_at = Member::Null;
    });
    assert!(task.is_ok());
    let task = read(|row| row.rest.owner = text("")).expect("a valid row");
    assert_eq!(task.owner, None);
}

#[test]
fn content_is_the_title_of_old_rows() {
    let old = read(|row| {
        row.rest.task.title = Member::Absent;
        row.rest.content = text("Old one");
    });
    assert_eq!(old.expect("a valid row").draft.title.as_str(), "Old one");
    let both = read(|row| row.rest.content = text("Old one"));
    assert_eq!(both.expect("a valid row").draft.title.as_str(), "Buy milk");
}

#[test]
fn broken_rules_have_messages() {
    type Change = fn(&mut ConsoleRow);
    let cases: [(Change, &str); 11] = [
        (
            |row| row.id = Member::WrongType,
            "id must be a whole number from 1 to 9223372036854775807",
        ),
        (
            |row| row.rest.task.title = Member::Absent,
            "Task title must be a non-empty string",
        ),
        (
            |row| row.rest.task.title = text("a\0"),
            "Task title must not contain NUL characters",
        ),
        (
            |row| row.rest.task.title = Member::Given("x".repeat(101)),
            "Task title must not exceed 100 characters",
        ),
        (
            |row| row.rest.task.description = Member::WrongType,
            "Task description must be a string",
        ),
        (
            |row| row.rest.task.completed = Member::Null,
            "Task completed status must be a boolean",
        ),
        (
            |row| row.rest.task.completed = Member::WrongType,
            "Task completed status must be a boolean",
        ),
        (
            |row| row.rest.owner = Member::WrongType,
            "Task user_id must be a non-empty string",
        ),
        (
            |row| row.rest.owner = Member::Given("u".repeat(256)),
            "Task user_id must not exceed 255 characters",
        ),
        (
            |row| row.rest.created_at = text("yesterday"),
            "created_at is no time in ISO 8601",
        ),
        (
            |row| row.rest.updated_at = Member::WrongType,
            "updated_at is no time in ISO 8601",
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(read(change).map(|_| ()), Err(expected.to_owned()));
    }
}

#[test]
fn missing_times_are_now_and_updated_at_is_not_before_created_at() {
    let at = |micros| Timestamp::from_micros(micros).expect("in range");
    let times = |created: &str, updated: &str| {
        let given = |raw: &str| {
            if raw.is_empty() {
                Member::Absent
            } else {
                text(raw)
            }
        };
        let row = read(|row| {
            row.rest.created_at = given(created);
            row.rest.updated_at = given(updated);
        });
        let owner = UserId::parse("u").expect("an id");
        let id = TaskId::from_uuid(uuid::Uuid::nil());
        let zone = |local: LocalDateTime| at(local.as_micros() - 1);
        let task = row
            .expect("a valid row")
            .task(id, Version::FIRST, owner, at(5_000_000), zone);
        (task.created_at.as_micros(), task.updated_at.as_micros())
    };
    let (two, nine) = ("1970-01-01T00:00:02Z", "1970-01-01T00:00:09Z");
    assert_eq!(times("", ""), (5_000_000, 5_000_000));
    assert_eq!(times(two, nine), (2_000_000, 9_000_000));
    assert_eq!(times(two, ""), (2_000_000, 5_000_000));
    assert_eq!(times("", two), (5_000_000, 5_000_000));
    assert_eq!(times(nine, two), (9_000_000, 9_000_000));
    assert_eq!(times("1970-01-01T00:00:02", nine).0, 1_999_999);
}

#[test]
fn native_rows_keep_id_and_version() {
    let id = "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";
    let row = |id: Member<String>, version| NativeRow {
        id,
        version,
        rest: minimal().rest,
    };
    let (kept, version, _) = row(text(id), Member::Given(7))
        .into_task()
        .expect("a valid row");
    assert_eq!((kept.to_string().as_str(), version.get()), (id, 7));
    let (_, version, _) = row(text(id), Member::Absent)
        .into_task()
        .expect("a valid row");
    assert_eq!(version, Version::FIRST);
    let invalid = row(text("7"), Member::Absent).into_task();
    assert_eq!(invalid, Err(RowError::TaskId));
    for version in [Member::Given(0), Member::Null, Member::WrongType] {
        let invalid = row(text(id), version).into_task();
        assert_eq!(invalid, Err(RowError::Version));
    }
}

#[test]
fn due_date_of_a_native_row_is_read_as_stored_and_as_shown() {
    let read = |due| {
        let mut row = NativeRow {
            id: text("01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f"),
            rest: minimal().rest,
            ..NativeRow::default()
        };
        row.rest.task.details.due = text(due);
        let row = row.into_task().map_err(|error| error.to_string());
        row.map(|(_, _, task)| task.draft.details.due.map(|due| due.to_stored()))
    };
    // The wall time that clocks skip is kept.
    let stored = "2026-03-29T02:30:00[Europe/Berlin]";
    assert_eq!(read(stored), Ok(Some(stored.to_owned())));
    let shown = "2026-12-01T09:00:00+01:00[Europe/Berlin]";
    let kept = "2026-12-01T09:00:00[Europe/Berlin]";
    assert_eq!(read(shown), Ok(Some(kept.to_owned())));
    assert_eq!(read("2026-12-01"), Ok(Some("2026-12-01".to_owned())));
    let refused = read("2026-02-30").unwrap_err();
    assert_eq!(refused, "Due date must exist: there is no 2026-02-30");
}

#[test]
fn repeat_of_a_native_row_needs_a_due_date() {
    let read = |due: Member<String>, repeat: &str| {
        let mut row = NativeRow {
            id: text("00000000-0000-7000-8000-000000000001"),
            rest: minimal().rest,
            ..NativeRow::default()
        };
        row.rest.task.details.due = due;
        row.rest.task.details.repeat = text(repeat);
        row.into_task()
            .map(|(_, _, task)| task.draft.details)
            .map_err(|error| error.to_string())
    };
    for due in ["2026-12-01", "2026-03-29T02:30:00[Europe/Berlin]"] {
        let details = read(text(due), "freq=daily").expect("a valid row");
        assert_eq!(details.due.expect("a due date").to_stored(), due);
        assert_eq!(details.repeat.expect("a rule").to_string(), "FREQ=DAILY");
    }
    let refused = read(Member::Null, "FREQ=DAILY").expect_err("no due date");
    assert_eq!(refused, "Task repeat needs a due date");
    assert!(read(text("2026-12-01"), "FREQ=NEVER").is_err());
}

#[test]
fn position_of_a_row_is_kept_and_a_missing_one_is_that_of_the_creation() {
    let at = |micros| Timestamp::from_micros(micros).expect("in range");
    let position = |given: Member<String>| {
        let row = read(|row| {
            row.rest.created_at = text("1970-01-01T00:00:02Z");
            row.rest.position = given;
        })?;
        let owner = UserId::parse("u").expect("an id");
        let id = TaskId::from_uuid(uuid::Uuid::nil());
        let zone = |local: LocalDateTime| at(local.as_micros());
        let task = row.task(id, Version::FIRST, owner, at(5_000_000), zone);
        Ok(task.position.to_string())
    };
    let of_creation = Position::of_creation(at(2_000_000)).to_string();
    assert_eq!(position(Member::Absent), Ok(of_creation.clone()));
    assert_eq!(position(Member::Null), Ok(of_creation));
    assert_eq!(position(text("VV")), Ok("VV".to_owned()));
    let refused: Result<String, String> = Err(
        "position must be up to 63 ASCII letters and digits, as Taskhold writes them".to_owned(),
    );
    for given in [
        text(""),
        text("s"),
        text("V V"),
        text(&"V".repeat(64)),
        Member::WrongType,
    ] {
        assert_eq!(position(given), refused);
    }
}
