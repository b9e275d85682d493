//! Due dates on calendars: on another date, on the day of a zone, in order and overdue.

use jiff::civil::{Date, DateTime, date};

use super::{at, due};
use crate::task::{DueError, DueTime};
use crate::zone::Zone;
use crate::zone::tests::zone;

#[test]
fn wall_time_and_zone_stay_on_another_date() {
    let on = |given: &str, date| due(given).on(date).map(|due| due.to_string());
    for (given, shown) in [
        ("2026-12-01", "2027-01-01"),
        ("2026-12-01T09:00:00+01:00", "2026-07-01T09:00:00+01:00"),
        (
            "2026-12-01T09:00:00+01:00[Europe/Berlin]",
            "2026-07-01T09:00:00+02:00[Europe/Berlin]",
        ),
        // A daily 02:30 is 03:30 on the day that skips it, and 02:30 on the next day.
        (
            "2026-03-28T02:30:00+01:00[Europe/Berlin]",
            "2026-03-29T03:30:00+02:00[Europe/Berlin]",
        ),
        (
            "2026-03-29T02:30:00+01:00[Europe/Berlin]",
            "2026-03-30T02:30:00+02:00[Europe/Berlin]",
        ),
        // The first of two; the same date changes nothing.
        (
            "2026-10-24T02:30:00+02:00[Europe/Berlin]",
            "2026-10-25T02:30:00+02:00[Europe/Berlin]",
        ),
        (
            "2026-10-25T02:30:00+01:00[Europe/Berlin]",
            "2026-10-25T02:30:00+01:00[Europe/Berlin]",
        ),
        (
            "2026-10-25T02:30:00+01:00[Europe/Berlin]",
            "2027-10-31T02:30:00+02:00[Europe/Berlin]",
        ),
    ] {
        let date: Date = shown[..10].parse().unwrap();
        assert_eq!(on(given, date).as_deref(), Some(shown), "{given}");
    }
    assert_eq!(on("2026-12-01T00:00:00+01:00", date(1, 1, 1)), None);
    assert_eq!(on("2026-12-01", date(0, 1, 1)), None);
}

#[test]
fn past_dates_and_times_are_overdue() {
    let now = at("2026-12-01T23:30:00Z");
    for (given, zone_name, is_overdue) in [
        ("2026-11-30", "UTC", true),
        ("2026-12-01", "UTC", false),
        ("2026-12-01", "Europe/Berlin", true),
        ("2026-12-02", "Europe/Berlin", false),
        ("2026-11-30", "Pacific/Pago_Pago", true),
        ("2026-12-01", "Pacific/Pago_Pago", false),
        // The zone of the reader changes nothing for a time.
        ("2026-12-01T23:30:00Z", "Asia/Tokyo", false),
        ("2026-12-01T23:29:59.999999Z", "Pacific/Pago_Pago", true),
        ("2026-12-02T00:30:00+01:00[Europe/Berlin]", "UTC", false),
    ] {
        let is = due(given).is_overdue(now, &zone(zone_name));
        assert_eq!(is, is_overdue, "{given} {zone_name}");
    }
}

#[test]
fn dates_sort_before_times_of_their_day_in_the_zone() {
    let sorted = |name: &str| {
        let zone = zone(name);
        let mut dues = [
            "2026-12-02T00:30:00+01:00[Europe/Berlin]",
            "2026-12-01T23:45:00Z",
            "2026-12-02",
            "2026-12-01T09:00:00Z",
            "2026-12-01",
        ]
        .map(due);
        dues.sort_by_key(|due| due.sort_key(&zone));
        dues.map(|due| due.to_string())
    };
    let (evening, night) = (
        "2026-12-02T00:30:00+01:00[Europe/Berlin]",
        "2026-12-01T23:45:00Z",
    );
    let morning = "2026-12-01T09:00:00Z";
    assert_eq!(
        sorted("UTC"),
        ["2026-12-01", morning, evening, night, "2026-12-02"]
    );
    assert_eq!(
        sorted("Europe/Berlin"),
        ["2026-12-01", morning, "2026-12-02", evening, night]
    );
}

#[test]
fn days_are_those_of_the_zone_in_question() {
    let berlin = due("2026-12-02T00:30:00+01:00[Europe/Berlin]");
    assert_eq!(berlin.date(), date(2026, 12, 2));
    assert_eq!(berlin.day_in(&Zone::UTC), date(2026, 12, 1));
    let done = at("2026-12-04T23:30:00Z");
    let tokyo = zone("Asia/Tokyo");
    for (given, day) in [
        ("2026-12-02T00:30:00+01:00[Europe/Berlin]", 5),
        ("2026-12-02T00:30:00-01:00", 4),
        ("2026-12-02", 5),
    ] {
        assert_eq!(due(given).local_day(done, &tokyo), date(2026, 12, day));
    }
    assert_eq!(
        due("2026-12-02").local_day(done, &Zone::UTC),
        date(2026, 12, 4)
    );
}

#[test]
fn wall_times_are_kept_to_the_microsecond() {
    let wall = DateTime::constant(2026, 3, 29, 2, 30, 0, 123_456_789);
    let time = DueTime::new(wall, zone("Europe/Berlin")).unwrap();
    assert_eq!(time.wall().to_string(), "2026-03-29T02:30:00.123456");
    assert_eq!(time.zone(), Some(&zone("Europe/Berlin")));
    assert_eq!(
        time.to_string(),
        "2026-03-29T03:30:00.123456+02:00[Europe/Berlin]"
    );
    let before = DateTime::constant(0, 12, 31, 23, 0, 0, 0);
    assert_eq!(DueTime::new(before, Zone::UTC), Err(DueError::Year));
}
