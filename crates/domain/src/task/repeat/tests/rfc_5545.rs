//! The examples of RFC 5545, sections 3.3.10 and 3.8.5.3, that need no other parts. The tasks are due at 9 o'clock in
//! New York. `WKST` is left out of examples that it does not change.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use super::super::RepeatFrom;
use super::repeat;

/// Reads lists like `1997 Sep 2 30 Oct 2`.
fn dates(list: &str) -> Vec<Date> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (mut year, mut month) = (0, 0);
    let mut dates = Vec::new();
    for word in list.split(' ') {
        if let Some(place) = MONTHS.iter().position(|name| *name == word) {
            month = i8::try_from(place + 1).unwrap();
        } else if word.len() == 4 {
            year = word.parse().unwrap();
        } else {
            dates.push(date(year, month, word.parse().unwrap()));
        }
    }
    dates
}

/// Returns up to `limit` dates of a rule, `start` included if it `is_date` of the rule.
fn series(rule: &str, start: Date, is_date: bool, limit: usize) -> Vec<Date> {
    let new_york = TimeZone::get("America/New_York").unwrap();
    let utc = |date: Date| {
        let instant = new_york.to_timestamp(date.at(9, 0, 0, 0)).unwrap();
        Some(TimeZone::UTC.to_datetime(instant))
    };
    let follow_ups = std::iter::successors(Some((start, repeat(rule))), |(due, rule)| {
        rule.follow_up(RepeatFrom::Due, *due, *due, utc)
    });
    let dates = follow_ups.map(|(date, _)| date);
    dates.skip((!is_date).into()).take(limit).collect()
}

#[test]
fn ending_rules_have_the_dates_of_the_rfc() {
    let every_day: Vec<_> = date(1997, 9, 2)
        .series(jiff::Span::new().days(1))
        .take_while(|day| *day <= date(1997, 12, 23))
        .collect();
    assert_eq!(
        series(
            "FREQ=DAILY;UNTIL=19971224T000000Z",
            date(1997, 9, 2),
            true,
            999
        ),
        every_day
    );
    for (rule, list) in [
        ("FREQ=DAILY;COUNT=10", "1997 Sep 2 3 4 5 6 7 8 9 10 11"),
        (
            "FREQ=DAILY;INTERVAL=10;COUNT=5",
            "1997 Sep 2 12 22 Oct 2 12",
        ),
        (
            "FREQ=WEEKLY;COUNT=10",
            "1997 Sep 2 9 16 23 30 Oct 7 14 21 28 Nov 4",
        ),
        (
            "FREQ=WEEKLY;UNTIL=19971224T000000Z",
            "1997 Sep 2 9 16 23 30 Oct 7 14 21 28 Nov 4 11 18 25 Dec 2 9 16 23",
        ),
        (
            "FREQ=WEEKLY;UNTIL=19971007T000000Z;BYDAY=TU,TH",
            "1997 Sep 2 4 9 11 16 18 23 25 30 Oct 2",
        ),
        (
            "FREQ=WEEKLY;COUNT=10;BYDAY=TU,TH",
            "1997 Sep 2 4 9 11 16 18 23 25 30 Oct 2",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;BYDAY=MO,WE,FR",
            "1997 Sep 1 3 5 15 17 19 29 Oct 1 3 13 15 17 27 29 31 Nov 10 12 14 24 26 28 Dec 8 10 12 22",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;COUNT=8;BYDAY=TU,TH",
            "1997 Sep 2 4 16 18 30 Oct 2 14 16",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU",
            "1997 Aug 5 10 19 24",
        ),
        (
            "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
            "1997 Sep 5 Oct 3 Nov 7 Dec 5 1998 Jan 2 Feb 6 Mar 6 Apr 3 May 1 Jun 5",
        ),
        (
            "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
            "1997 Sep 5 Oct 3 Nov 7 Dec 5",
        ),
        (
            "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
            "1997 Sep 7 28 Nov 2 30 1998 Jan 4 25 Mar 1 29 May 3 31",
        ),
        (
            "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
            "1997 Sep 22 Oct 20 Nov 17 Dec 22 1998 Jan 19 Feb 16",
        ),
        (
            "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
            "1997 Sep 2 15 Oct 2 15 Nov 2 15 Dec 2 15 1998 Jan 2 15",
        ),
        (
            "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
            "1997 Sep 30 Oct 1 31 Nov 1 30 Dec 1 31 1998 Jan 1 31 Feb 1",
        ),
        (
            "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
            "1997 Sep 10 11 12 13 14 15 1999 Mar 10 11 12 13",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
            "2007 Jan 15 30 Feb 15 Mar 15 30",
        ),
    ] {
        let expected = dates(list);
        assert_eq!(series(rule, expected[0], true, 999), expected, "{rule}");
    }
}

#[test]
fn endless_rules_have_the_dates_of_the_rfc() {
    let start = date(1997, 9, 2);
    for (rule, start, list) in [
        (
            "FREQ=DAILY;INTERVAL=2",
            start,
            "1997 Sep 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30 Oct 2 4 6",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2",
            start,
            "1997 Sep 2 16 30 Oct 14 28 Nov 11 25 Dec 9 23 1998 Jan 6 20 Feb 3 17",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-3",
            date(1997, 9, 28),
            "1997 Sep 28 Oct 29 Nov 28 Dec 29 1998 Jan 29 Feb 26",
        ),
        (
            "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
            start,
            "1997 Sep 2 9 16 23 30 Nov 4 11 18 25 1998 Jan 6 13 20 27 Mar 3 10 17 24 31",
        ),
        (
            "FREQ=YEARLY;BYDAY=20MO",
            date(1997, 5, 19),
            "1997 May 19 1998 May 18 1999 May 17",
        ),
        // The RFC takes the start, which does not fit, out by EXDATE.
        (
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
            start,
            "1998 Feb 13 Mar 13 Nov 13 1999 Aug 13 2000 Oct 13",
        ),
        (
            "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
            date(1997, 9, 13),
            "1997 Sep 13 Oct 11 Nov 8 Dec 13 1998 Jan 10 Feb 7 Mar 7 Apr 11 May 9 Jun 13",
        ),
    ] {
        let expected = dates(list);
        let is_date = expected.contains(&start);
        assert_eq!(
            series(rule, start, is_date, expected.len()),
            expected,
            "{rule}"
        );
    }
}
