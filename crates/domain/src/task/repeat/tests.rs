//! Tests of the dates of rules.

mod random;
mod rfc_5545;
mod steps;
mod text;

use jiff::civil::{Date, date};

use super::{Repeat, RepeatFrom};

fn repeat(rule: &str) -> Repeat {
    Repeat::parse(rule).unwrap_or_else(|error| panic!("{rule}: {error}"))
}

fn next(rule: &str, due: Date) -> Option<Date> {
    repeat(rule).next(due, due).map(|(date, _)| date)
}

/// Returns the dates of the follow-ups of tasks that are completed on their due dates.
fn follow_ups(rule: &str, due: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some((due, repeat(rule))), |(due, rule)| {
        rule.next(*due, *due)
    })
    .skip(1)
    .map(|(date, _)| date)
}

#[test]
fn count_goes_down_by_one_and_ends_the_rule_at_one() {
    let due = date(2026, 11, 29);
    let (monday, rest) = repeat("FREQ=DAILY;COUNT=3").next(due, due).unwrap();
    assert_eq!(rest.to_string(), "FREQ=DAILY;COUNT=2");
    // Dates that are skipped do not count.
    let (later, rest) = rest.next(monday, date(2026, 12, 24)).unwrap();
    assert_eq!(
        (later, rest.to_string()),
        (date(2026, 12, 25), "FREQ=DAILY;COUNT=1".into())
    );
    assert_eq!(rest.next(later, later), None);
}

#[test]
fn until_is_the_last_day_and_with_a_time_the_last_instant() {
    let due = date(2026, 12, 23);
    let until = |until: &str, due, utc: Option<jiff::civil::DateTime>| {
        let rule = repeat(&format!("FREQ=DAILY;UNTIL={until}"));
        let follow_up = rule.follow_up(RepeatFrom::Due, due, due, |_| utc);
        follow_up.map(|(date, rest)| {
            assert_eq!(rest, rule);
            date.day()
        })
    };
    let christmas = date(2026, 12, 24);
    assert_eq!(until("20261224", due, None), Some(24));
    assert_eq!(until("20261224", christmas, None), None);
    // A day is compared with that of the wall time, whatever the zone.
    assert_eq!(
        until("20261224", due, Some(date(2026, 12, 25).at(3, 0, 0, 0))),
        Some(24)
    );
    // A mere date is compared with the day of a time.
    assert_eq!(until("20261224T000000Z", due, None), Some(24));
    assert_eq!(until("20261224T000000Z", christmas, None), None);
    // Two times are compared, whatever the date of the wall time.
    for (utc, expected) in [
        (christmas.at(13, 0, 0, 0), Some(24)),
        (christmas.at(13, 0, 0, 1), None),
        (due.at(23, 30, 0, 0), Some(24)),
        (date(2026, 12, 25).at(2, 0, 0, 0), None),
    ] {
        assert_eq!(until("20261224T130000Z", due, Some(utc)), expected, "{utc}");
    }
    assert_eq!(
        until(
            "20261224T130000Z",
            christmas,
            Some(christmas.at(1, 0, 0, 0))
        ),
        Some(25)
    );
    assert_eq!(until("19991224", due, None), None);
}

#[test]
fn late_completion_leads_to_the_next_date_from_due_and_anew_from_completion() {
    let (due, late) = (date(2026, 11, 2), date(2026, 11, 29));
    for (parts, from_due, from_completion) in [
        ("DAILY;INTERVAL=3", "2026-11-05", "2026-12-02"),
        ("WEEKLY", "2026-11-09", "2026-12-06"),
        ("WEEKLY;BYDAY=MO", "2026-11-09", "2026-11-30"),
        ("MONTHLY", "2026-12-02", "2026-12-29"),
        ("MONTHLY;BYMONTHDAY=2", "2026-12-02", "2026-12-02"),
        ("YEARLY", "2027-11-02", "2027-11-29"),
    ] {
        let rule = repeat(&format!("FREQ={parts}"));
        let dates = [RepeatFrom::Due, RepeatFrom::Completion].map(|from| {
            let (date, _) = rule.follow_up(from, due, late, |_| None).unwrap();
            date.to_string()
        });
        assert_eq!(dates, [from_due, from_completion], "{rule}");
    }
}

#[test]
fn early_completion_keeps_the_dates_from_due_only() {
    let (due, early) = (date(2026, 12, 10), date(2026, 12, 1));
    let rule = repeat("FREQ=DAILY;INTERVAL=3");
    let follow_up = |from| rule.follow_up(from, due, early, |_| None).unwrap().0;
    assert_eq!(follow_up(RepeatFrom::Due), date(2026, 12, 13));
    assert_eq!(follow_up(RepeatFrom::Completion), date(2026, 12, 4));
}

#[test]
fn next_may_skip_the_dates_that_have_passed() {
    let due = date(2026, 11, 2);
    for (parts, after, expected) in [
        ("DAILY;INTERVAL=3", "2026-11-29", "2026-12-02"),
        ("DAILY;INTERVAL=3", "9999-01-01", "9999-01-04"),
        ("WEEKLY;INTERVAL=2;BYDAY=MO,TU", "2026-11-16", "2026-11-17"),
        ("WEEKLY;INTERVAL=2;BYDAY=MO,TU", "2026-11-17", "2026-11-30"),
        ("MONTHLY;INTERVAL=3", "2026-11-29", "2027-02-02"),
        ("YEARLY;INTERVAL=10", "2026-11-02", "2036-11-02"),
        ("DAILY", "2020-01-01", "2026-11-03"),
    ] {
        let rule = repeat(&format!("FREQ={parts}"));
        let (date, _) = rule.next(due, after.parse().unwrap()).unwrap();
        assert_eq!(date.to_string(), expected, "{rule} after {after}");
    }
}

#[test]
fn months_and_years_without_the_day_are_left_out() {
    let days = |rule, due| -> Vec<_> {
        let dates = follow_ups(rule, due).take(3);
        dates.map(|date| date.to_string()).collect()
    };
    let leap_day = date(2096, 2, 29);
    assert_eq!(
        days("FREQ=YEARLY", leap_day),
        ["2104-02-29", "2108-02-29", "2112-02-29"]
    );
    assert_eq!(
        days("FREQ=YEARLY;INTERVAL=25", date(2000, 2, 29)),
        ["2400-02-29", "2800-02-29", "3200-02-29"]
    );
    assert_eq!(
        days("FREQ=YEARLY;INTERVAL=3", leap_day),
        ["2108-02-29", "2120-02-29", "2132-02-29"]
    );
    assert_eq!(
        days("FREQ=MONTHLY;INTERVAL=12", leap_day),
        ["2104-02-29", "2108-02-29", "2112-02-29"]
    );
    assert_eq!(
        days("FREQ=MONTHLY", date(2026, 12, 31)),
        ["2027-01-31", "2027-03-31", "2027-05-31"]
    );
    assert_eq!(
        days("FREQ=MONTHLY;BYDAY=5MO", date(2026, 11, 30)),
        ["2027-03-29", "2027-05-31", "2027-08-30"]
    );
    // The fifth Monday of a February is the 29th.
    assert_eq!(
        days("FREQ=MONTHLY;INTERVAL=12;BYDAY=5MO", date(2072, 2, 29)),
        ["2112-02-29", "2140-02-29", "2168-02-29"]
    );
    assert_eq!(
        days("FREQ=YEARLY;BYDAY=53FR", date(2027, 1, 1)),
        ["2027-12-31", "2032-12-31", "2038-12-31"]
    );
    assert_eq!(
        days("FREQ=YEARLY;BYDAY=-53FR", date(2027, 1, 2)),
        ["2032-01-02", "2038-01-01", "2044-01-01"]
    );
}

#[test]
fn yearly_rules_apply_to_every_month() {
    let dates: Vec<_> = follow_ups("FREQ=YEARLY;INTERVAL=2;BYMONTHDAY=31", date(2026, 10, 1))
        .take(4)
        .collect();
    let expected = [
        date(2026, 10, 31),
        date(2026, 12, 31),
        date(2028, 1, 31),
        date(2028, 3, 31),
    ];
    assert_eq!(dates, expected);
}

#[test]
fn rule_without_another_date_before_the_year_10000_ends() {
    for (rule, due) in [
        ("FREQ=DAILY", date(9999, 12, 31)),
        ("FREQ=DAILY;INTERVAL=3652058", date(1, 1, 2)),
        ("FREQ=WEEKLY", date(9999, 12, 25)),
        ("FREQ=WEEKLY;BYDAY=SA,SU", date(9999, 12, 26)),
        ("FREQ=WEEKLY;INTERVAL=3652059", date(1, 1, 1)),
        ("FREQ=MONTHLY", date(9999, 12, 1)),
        ("FREQ=MONTHLY;INTERVAL=3652059", date(1, 1, 1)),
        ("FREQ=YEARLY", date(9999, 1, 1)),
        ("FREQ=YEARLY", date(9996, 2, 29)),
        ("FREQ=YEARLY;INTERVAL=9999", date(1, 1, 1)),
        ("FREQ=YEARLY;INTERVAL=3652059", date(1, 1, 1)),
    ] {
        assert_eq!(next(rule, due), None, "{rule}");
    }
    for (rule, due) in [
        ("FREQ=DAILY;INTERVAL=3652058", date(1, 1, 1)),
        ("FREQ=WEEKLY;INTERVAL=521722", date(1, 1, 5)),
        ("FREQ=MONTHLY;INTERVAL=119987", date(1, 1, 31)),
        ("FREQ=YEARLY;INTERVAL=9998", date(1, 12, 31)),
    ] {
        assert_eq!(next(rule, due), Some(date(9999, 12, 31)), "{rule}");
    }
}
