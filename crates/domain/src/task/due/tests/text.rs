//! Texts of clients: those that are parsed, and those that are refused with the reason.

use super::due;
use crate::task::Due;

fn refusal(text: &str) -> String {
    Due::parse(text).expect_err(text).to_string()
}

#[test]
fn forms_of_rfc_9557_are_understood() {
    for (given, shown) in [
        ("2026-12-01", "2026-12-01"),
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31", "9999-12-31"),
        ("2024-02-29", "2024-02-29"),
        ("2026-12-01T09:00:00+01:00", "2026-12-01T09:00:00+01:00"),
        ("2026-12-01T09:00:00-09:30", "2026-12-01T09:00:00-09:30"),
        ("2026-12-01T09:00:00+23:59", "2026-12-01T09:00:00+23:59"),
        ("2026-12-01T09:00:00Z", "2026-12-01T09:00:00Z"),
        ("2026-12-01t09:00:00z", "2026-12-01T09:00:00Z"),
        ("2026-12-01T09:00:00+00:00", "2026-12-01T09:00:00Z"),
        ("2026-12-01T09:00:00-00:00", "2026-12-01T09:00:00Z"),
        ("2026-12-01T09:00:00.000Z", "2026-12-01T09:00:00Z"),
        ("2026-12-01T09:00:00.5+01:00", "2026-12-01T09:00:00.5+01:00"),
        (
            "2026-12-01T09:00:00.123456789Z",
            "2026-12-01T09:00:00.123456Z",
        ),
        (
            "2026-12-01T09:00:00+01:00[Europe/Berlin]",
            "2026-12-01T09:00:00+01:00[Europe/Berlin]",
        ),
        (
            "2026-12-01T09:00:00+01:00[!Europe/Berlin]",
            "2026-12-01T09:00:00+01:00[Europe/Berlin]",
        ),
        (
            "2026-12-01T09:00:00+00:00[UTC]",
            "2026-12-01T09:00:00+00:00[UTC]",
        ),
        (
            "2026-12-01T09:00:00-10:00[US/Hawaii]",
            "2026-12-01T09:00:00-10:00[US/Hawaii]",
        ),
        (
            "2026-12-01T09:00:00+10:00[Etc/GMT-10]",
            "2026-12-01T09:00:00+10:00[Etc/GMT-10]",
        ),
        // Z gives an instant, which becomes a wall time of the zone.
        (
            "2026-12-01T09:00:00Z[Europe/Berlin]",
            "2026-12-01T10:00:00+01:00[Europe/Berlin]",
        ),
        (
            "2026-10-25T01:30:00Z[Europe/Berlin]",
            "2026-10-25T02:30:00+01:00[Europe/Berlin]",
        ),
        (
            "2026-10-25T00:30:00-00:00[Europe/Berlin]",
            "2026-10-25T02:30:00+02:00[Europe/Berlin]",
        ),
        // An offset can stand for the zone.
        (
            "2026-12-01T09:00:00+01:00[+01:00]",
            "2026-12-01T09:00:00+01:00",
        ),
        ("2026-12-01T09:00:00Z[+01:00]", "2026-12-01T10:00:00+01:00"),
        // Annotations without `!` are ignored.
        (
            "2026-12-01T09:00:00+01:00[Europe/Berlin][u-ca=gregory][_x=1-2]",
            "2026-12-01T09:00:00+01:00[Europe/Berlin]",
        ),
        (
            "2026-12-01T09:00:00+01:00[Europe/Berlin][_fold=1]",
            "2026-12-01T09:00:00+01:00[Europe/Berlin]",
        ),
        ("2026-12-01T09:00:00Z[u-ca=gregory]", "2026-12-01T09:00:00Z"),
    ] {
        let due = due(given);
        assert_eq!(due.to_string(), shown, "{given}");
        assert_eq!(Due::parse(shown), Ok(due.clone()), "{given}");
        assert_eq!(Due::from_stored(&due.to_stored()), Ok(due), "{given}");
    }
}

#[test]
fn other_forms_are_refused() {
    let expected =
        "Due date must be written as 2026-12-01 or as 2026-12-01T09:00:00+01:00[Europe/Berlin]";
    for given in [
        "",
        "tomorrow",
        "1 Dec",
        " 2026-12-01",
        "2026-12-01 ",
        "2026-12-1",
        "20261201",
        "2026-W49-2",
        "2026-12",
        "202\u{661}-12-01",
        "2026\u{2010}12\u{2010}01",
        "2026-12-01Z",
        "2026-12-01[Europe/Berlin]",
        "2026-12-01T",
        "2026-12-01T09:00+01:00",
        "2026-12-01T9:00:00+01:00",
        "2026-12-01 09:00:00+01:00",
        "2026-12-01T09:00:00,5Z",
        "2026-12-01T09:00:00.Z",
        "2026-12-01T09:00:00+0100",
        "2026-12-01T09:00:00+01",
        "2026-12-01T09:00:00+01:00:00",
        "2026-12-01T09:00:00\u{2212}01:00",
        "2026-12-01T09:00:00Z+01:00",
        "2026-12-01T09:00:00ZZ",
        "2026-12-01T09:00:00+01:00[",
        "2026-12-01T09:00:00+01:00[]",
        "2026-12-01T09:00:00+01:00[Europe/Berlin",
        "2026-12-01T09:00:00+01:00[Europe/Berlin]x",
        "2026-12-01T09:00:00+01:00[!!Europe/Berlin]",
        "2026-12-01T09:00:00+01:00[Europe/Berlin][Europe/Paris]",
        "2026-12-01T09:00:00+01:00[u-ca=gregory][Europe/Berlin]",
        "2026-12-01T09:00:00+01:00[Europe/ Berlin]",
        "2026-12-01T09:00:00+01:00[u-ca=]",
        "2026-12-01T09:00:00+01:00[aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffffffff]",
        "2026-12-01T09:00:00Z[+01:00x]",
    ] {
        assert_eq!(refusal(given), expected, "{given}");
    }
}

#[test]
fn other_years_are_refused() {
    for given in [
        "0000-12-31",
        "-0001-12-31",
        "+2026-12-01",
        "10000-01-01",
        "+010000-01-01",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00Z[America/Lima]",
        "9999-12-31T23:59:59Z[Asia/Tokyo]",
    ] {
        let expected = "Due date must be in the years 1 to 9999";
        assert_eq!(refusal(given), expected, "{given}");
    }
}

#[test]
fn impossible_values_are_refused_with_the_reason() {
    let offset = "Due time must have an offset from UTC, such as +01:00";
    let leap = "Due time must not be a leap second";
    let annotation = "Due time must not have an annotation with `!` other than its time zone";
    let no_date = |date| format!("Due date must exist: there is no {date}");
    let no_time = |time| format!("Due time must be from 00:00:00 to 23:59:59, not {time}");
    let no_offset =
        |offset| format!("Due time must have an offset from -23:59 to +23:59, not {offset}");
    let no_zone = |reason| format!("Due time must be in a known time zone: {reason}");
    let other = |expected, given| {
        format!("Due time must have the offset of its time zone, which is {expected}, not {given}")
    };
    for (given, expected) in [
        ("2026-13-01", no_date("2026-13-01")),
        ("2026-00-01", no_date("2026-00-01")),
        ("2026-12-00", no_date("2026-12-00")),
        ("2026-02-30", no_date("2026-02-30")),
        ("2100-02-29", no_date("2100-02-29")),
        ("2026-02-30T09:00:00Z", no_date("2026-02-30")),
        ("2026-12-01T24:00:00Z", no_time("24:00:00")),
        ("2026-12-01T09:60:00Z", no_time("09:60:00")),
        ("2026-12-01T09:00:61Z", no_time("09:00:61")),
        ("2026-12-01T25:00:60Z", no_time("25:00:60")),
        ("2016-12-31T23:59:60Z", leap.into()),
        ("2026-12-01T09:00:60.5+01:00[Europe/Berlin]", leap.into()),
        ("2026-12-01T09:00:00", offset.into()),
        ("2026-12-01T09:00:00[Europe/Berlin]", offset.into()),
        ("2026-12-01T09:00:00+24:00", no_offset("+24:00")),
        ("2026-12-01T09:00:00-01:60", no_offset("-01:60")),
        ("2026-12-01T09:00:00Z[+24:00]", no_offset("+24:00")),
        (
            "2026-12-01T09:00:00+01:00[Europe/Atlantis]",
            no_zone(
                "there is no time zone `Europe/Atlantis`; names are those of the IANA database, \
                 such as Europe/Berlin",
            ),
        ),
        (
            "2026-12-01T09:00:00+01:00[europe/berlin]",
            no_zone("there is no time zone `europe/berlin`; the name is written Europe/Berlin"),
        ),
        (
            "2026-12-01T09:00:00+02:00[Europe/Berlin]",
            other("+01:00", "+02:00"),
        ),
        (
            "2026-12-01T09:00:00+00:00[Europe/Berlin]",
            other("+01:00", "+00:00"),
        ),
        (
            "2026-03-29T02:30:00+03:00[Europe/Berlin]",
            other("+01:00 or +02:00", "+03:00"),
        ),
        (
            "2026-10-25T02:30:00+03:00[Europe/Berlin]",
            other("+02:00 or +01:00", "+03:00"),
        ),
        // Next to the gap and the overlap there is one offset.
        (
            "2026-03-29T03:00:00+01:00[Europe/Berlin]",
            other("+02:00", "+01:00"),
        ),
        (
            "2026-10-25T03:00:00+02:00[Europe/Berlin]",
            other("+01:00", "+02:00"),
        ),
        (
            "2026-12-01T09:00:00+01:00[+02:00]",
            other("+02:00", "+01:00"),
        ),
        (
            "2026-12-01T09:00:00+01:00[Europe/Berlin][!u-ca=hebrew]",
            annotation.into(),
        ),
        ("2026-12-01T09:00:00Z[!_fold=1]", annotation.into()),
    ] {
        assert_eq!(refusal(given), expected, "{given}");
    }
}
