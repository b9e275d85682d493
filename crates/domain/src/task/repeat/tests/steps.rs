//! The number of days and periods that a search looks at. Each kind of month or year is searched once. A daily rule
//! passes over at most 7,217 days: with an interval of 507 days or more there are no more until the year 9999, and a
//! trial of all smaller intervals, each with every day of the month and of the week, found no longer gap.

use jiff::civil::{Date, date};

use super::repeat;

/// Returns how many days and periods the search for the date after `after` looks at.
fn steps(rule: &str, due: Date, after: Date) -> (usize, usize) {
    let rule = repeat(rule);
    let mut days = 0;
    let found = rule
        .candidates(due, after)
        .inspect(|_| days += 1)
        .find(|date| rule.fits(due, *date));
    let periods = rule
        .later_periods(due, after)
        .take_while(|first_day| found.is_none_or(|found| *first_day <= found));
    (days, periods.count())
}

#[track_caller]
fn assert_bounded(rule: &str, due: Date, after: Date) {
    let (days, periods) = steps(rule, due, after);
    let (max_days, max_periods) = match rule.split(';').next() {
        Some("FREQ=DAILY") => (7_217, 146_097),
        Some("FREQ=WEEKLY") => (13, 20_871),
        Some("FREQ=MONTHLY") => (31 + 28 * 31, 4_800),
        _ => (366 + 14 * 366, 400),
    };
    assert!(days <= max_days, "{rule}: {days} days");
    assert!(periods <= max_periods, "{rule}: {periods} periods");
}

#[test]
fn rules_without_any_date_end_after_a_bounded_search() {
    for (rule, due) in [
        ("FREQ=DAILY;INTERVAL=7;BYDAY=TU", date(1, 1, 1)),
        (
            "FREQ=DAILY;INTERVAL=14;BYDAY=TU,SU;BYMONTHDAY=31",
            date(1, 1, 1),
        ),
        ("FREQ=DAILY;INTERVAL=146097;BYMONTHDAY=31", date(1, 1, 1)),
        (
            "FREQ=DAILY;INTERVAL=773;BYDAY=MO;BYMONTHDAY=31",
            date(1, 1, 1),
        ),
        ("FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1", date(1, 1, 1)),
        (
            "FREQ=MONTHLY;BYDAY=1MO,2MO,3MO;BYMONTHDAY=22,23,24,25,26,27,28,29,30,31",
            date(1, 1, 1),
        ),
        ("FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=30", date(1, 2, 1)),
        ("FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=-31", date(1, 4, 1)),
        ("FREQ=YEARLY;BYDAY=53MO;BYMONTHDAY=1", date(1, 1, 1)),
        ("FREQ=YEARLY;INTERVAL=400;BYDAY=53TU", date(1, 1, 1)),
        (
            "FREQ=YEARLY;BYDAY=-1MO;BYMONTHDAY=1,2,3,4,5,6,7,8,9,10",
            date(1, 1, 1),
        ),
    ] {
        assert_bounded(rule, due, due);
        assert_eq!(repeat(rule).next(due, due), None, "{rule}");
    }
}

#[test]
fn search_does_not_grow_with_the_distance_or_the_interval() {
    let (first, last) = (date(1, 1, 1), date(9999, 12, 31));
    for parts in [
        "DAILY",
        "DAILY;BYDAY=MO",
        "DAILY;BYMONTHDAY=31",
        "DAILY;BYMONTHDAY=-31;BYDAY=FR",
        "WEEKLY",
        "WEEKLY;BYDAY=SU",
        "MONTHLY",
        "MONTHLY;BYMONTHDAY=31",
        "MONTHLY;BYMONTHDAY=-31",
        "MONTHLY;BYDAY=5SU",
        "MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "YEARLY",
        "YEARLY;BYMONTHDAY=31",
        "YEARLY;BYDAY=53SU",
        "YEARLY;BYDAY=-53SU;BYMONTHDAY=1",
    ] {
        for interval in (1..=150).chain([
            229, 364, 365, 366, 400, 506, 773, 1_274, 1_460, 1_461, 4_800, 36_524, 146_097,
            3_652_058, 3_652_059,
        ]) {
            let rule = format!("FREQ={parts};INTERVAL={interval}");
            for due in [
                first,
                date(1896, 2, 29),
                date(2000, 1, 31),
                date(2026, 11, 29),
            ] {
                for after in [due, date(2100, 3, 1), date(9000, 12, 31), last] {
                    assert_bounded(&rule, due, after);
                }
            }
        }
    }
}
