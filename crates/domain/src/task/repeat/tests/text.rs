//! Tests of the texts of rules: their canonical form, and the errors of texts that are no rules.

use super::super::{Repeat, RepeatError, RepeatFrom, RepeatFromError};
use super::repeat;

#[test]
fn rules_are_shown_in_a_canonical_form() {
    for (given, canonical) in [
        ("FREQ=DAILY", "FREQ=DAILY"),
        ("freq=Weekly;byDay=fr,mO", "FREQ=WEEKLY;BYDAY=MO,FR"),
        ("INTERVAL=1;FREQ=DAILY", "FREQ=DAILY"),
        (
            "COUNT=0010;INTERVAL=02;FREQ=DAILY",
            "FREQ=DAILY;INTERVAL=2;COUNT=10",
        ),
        ("FREQ=DAILY;BYDAY=SU,MO,SU", "FREQ=DAILY;BYDAY=MO,SU"),
        (
            "FREQ=MONTHLY;BYDAY=-1SU,+2TU,1MO,01FR,-5MO,WE",
            "FREQ=MONTHLY;BYDAY=WE,1MO,1FR,2TU,-5MO,-1SU",
        ),
        (
            "FREQ=YEARLY;BYMONTHDAY=-1,31,+1,-31,01;BYDAY=53MO",
            "FREQ=YEARLY;BYDAY=53MO;BYMONTHDAY=1,31,-31,-1",
        ),
        ("UNTIL=20261224;FREQ=DAILY", "FREQ=DAILY;UNTIL=20261224"),
        (
            "FREQ=DAILY;UNTIL=00010101t000000z",
            "FREQ=DAILY;UNTIL=00010101T000000Z",
        ),
        (
            "FREQ=DAILY;INTERVAL=3652059;COUNT=3652059",
            "FREQ=DAILY;INTERVAL=3652059;COUNT=3652059",
        ),
    ] {
        assert_eq!(repeat(given).to_string(), canonical);
        assert_eq!(canonical.parse(), Ok(repeat(given)), "{canonical}");
    }
}

#[test]
fn text_that_is_no_rule_is_refused_with_the_part_and_its_rule() {
    use RepeatError as E;
    let longest = format!("FREQ=DAILY;COUNT={}1", "0".repeat(237));
    assert_eq!(longest.len(), Repeat::MAX_CHARS);
    assert_eq!(repeat(&longest), repeat("FREQ=DAILY;COUNT=1"));
    for (given, error) in [
        ("", E::Empty),
        (&longest.replace('=', "=0"), E::TooLong),
        (" FREQ=DAILY", E::WhiteSpace),
        ("FREQ=DAILY\r\n", E::WhiteSpace),
        ("FREQ=DAILY; COUNT=1", E::WhiteSpace),
        ("FREQ=DAILY;\u{a0}COUNT=1", E::WhiteSpace),
        ("FREQ=DAILY\0", E::WhiteSpace),
        ("RRULE:FREQ=DAILY", E::Prefix),
        ("rrule:", E::Prefix),
        ("FREQ", E::MalformedPart(1)),
        ("FREQ=DAILY;", E::MalformedPart(2)),
        ("FREQ=DAILY;;COUNT=1", E::MalformedPart(2)),
        ("FREQ=YEARLY;bymonth=1", E::UnsupportedPart("BYMONTH")),
        ("FREQ=WEEKLY;WKST=MO", E::UnsupportedPart("WKST")),
        (
            "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1",
            E::UnsupportedPart("BYSETPOS"),
        ),
        ("FREQ=DAILY;X-OWN=1", E::UnknownPart(2)),
        ("ＦＲＥＱ=DAILY", E::UnknownPart(1)),
        ("=DAILY", E::UnknownPart(1)),
        ("FREQ=DAILY;freq=DAILY", E::DoubledPart("FREQ")),
        ("FREQ=DAILY;COUNT=1;COUNT=2", E::DoubledPart("COUNT")),
        ("INTERVAL=2", E::FreqMissing),
        ("FREQ=", E::Freq),
        ("FREQ=HOURLY", E::Freq),
        ("FREQ=DAILY=DAILY", E::Freq),
        ("FREQ=DAILY;INTERVAL=", E::Interval),
        ("FREQ=DAILY;INTERVAL=0", E::Interval),
        ("FREQ=DAILY;INTERVAL=-1", E::Interval),
        ("FREQ=DAILY;INTERVAL=+1", E::Interval),
        ("FREQ=DAILY;INTERVAL=1.5", E::Interval),
        ("FREQ=DAILY;INTERVAL=٣", E::Interval),
        ("FREQ=DAILY;INTERVAL=3652060", E::Interval),
        ("FREQ=DAILY;INTERVAL=1000000000", E::Interval),
        ("FREQ=DAILY;INTERVAL=99999999999999999999", E::Interval),
        ("FREQ=WEEKLY;BYDAY=", E::ByDayEmpty),
        ("FREQ=WEEKLY;BYDAY=,", E::ByDay),
        ("FREQ=WEEKLY;BYDAY=MO,", E::ByDay),
        ("FREQ=WEEKLY;BYDAY=MONDAY", E::ByDay),
        ("FREQ=WEEKLY;BYDAY=é", E::ByDay),
        ("FREQ=WEEKLY;BYDAY=ééé", E::ByDay),
        ("FREQ=MONTHLY;BYDAY=0MO", E::ByDay),
        ("FREQ=MONTHLY;BYDAY=-0MO", E::ByDay),
        ("FREQ=MONTHLY;BYDAY=+-1MO", E::ByDay),
        ("FREQ=MONTHLY;BYDAY=-MO", E::ByDay),
        ("FREQ=MONTHLY;BYDAY=999MO", E::ByDay),
        ("FREQ=MONTHLY;BYDAY=1", E::ByDay),
        ("FREQ=WEEKLY;BYDAY=1MO", E::ByDayNumbered),
        ("FREQ=DAILY;BYDAY=MO,-1FR", E::ByDayNumbered),
        ("FREQ=MONTHLY;BYDAY=6MO", E::ByDayNumber(5)),
        ("FREQ=MONTHLY;BYDAY=-6MO", E::ByDayNumber(5)),
        ("FREQ=YEARLY;BYDAY=54MO", E::ByDayNumber(53)),
        ("FREQ=MONTHLY;BYMONTHDAY=", E::ByMonthDayEmpty),
        ("FREQ=MONTHLY;BYMONTHDAY=1,,2", E::ByMonthDay),
        ("FREQ=MONTHLY;BYMONTHDAY=0", E::ByMonthDay),
        ("FREQ=MONTHLY;BYMONTHDAY=32", E::ByMonthDay),
        ("FREQ=MONTHLY;BYMONTHDAY=-32", E::ByMonthDay),
        ("FREQ=MONTHLY;BYMONTHDAY=128", E::ByMonthDay),
        ("FREQ=MONTHLY;BYMONTHDAY=MO", E::ByMonthDay),
        ("FREQ=WEEKLY;BYMONTHDAY=1", E::ByMonthDayWeekly),
        ("FREQ=DAILY;COUNT=", E::Count),
        ("FREQ=DAILY;COUNT=0", E::Count),
        ("FREQ=DAILY;COUNT=3652060", E::Count),
        ("FREQ=DAILY;UNTIL=", E::Until),
        ("FREQ=DAILY;UNTIL=2026-12-24", E::Until),
        ("FREQ=DAILY;UNTIL=20260230", E::Until),
        ("FREQ=DAILY;UNTIL=20261301", E::Until),
        ("FREQ=DAILY;UNTIL=00001231", E::Until),
        ("FREQ=DAILY;UNTIL=100000101", E::Until),
        ("FREQ=DAILY;UNTIL=+2026124", E::Until),
        ("FREQ=DAILY;UNTIL=20261224T170000", E::Until),
        ("FREQ=DAILY;UNTIL=20261224T1700Z", E::Until),
        ("FREQ=DAILY;UNTIL=20261224T240000Z", E::Until),
        ("FREQ=DAILY;UNTIL=20261231T235960Z", E::Until),
        ("FREQ=DAILY;UNTIL=20261224T170000ZZ", E::Until),
        ("FREQ=DAILY;UNTIL=２0261224", E::Until),
        ("FREQ=DAILY;COUNT=1;UNTIL=20261224", E::CountAndUntil),
    ] {
        assert_eq!(Repeat::parse(given), Err(error), "{given}");
        assert!(error.to_string().starts_with("Task repeat "), "{error}");
    }
}

#[test]
fn messages_name_the_part_and_its_rule() {
    for (given, message) in [
        (
            "FREQ=DAILY;INTERVAL=0",
            "Task repeat INTERVAL must be a whole number from 1 to 3652059",
        ),
        (
            "FREQ=MONTHLY;BYDAY=6MO",
            "Task repeat BYDAY must number days from 1 to 5 or from -1 to -5",
        ),
        (
            "FREQ=DAILY;BYHOUR=9",
            "Task repeat must have no parts but FREQ, INTERVAL, BYDAY, BYMONTHDAY, COUNT and UNTIL; \
             BYHOUR is not supported",
        ),
    ] {
        assert_eq!(Repeat::parse(given).unwrap_err().to_string(), message);
    }
}

#[test]
fn repeat_from_is_due_or_completion() {
    for from in RepeatFrom::ALL {
        assert_eq!(from.to_string().parse(), Ok(from));
    }
    assert_eq!(RepeatFrom::default(), RepeatFrom::Due);
    for malformed in ["", "Due", "completed", " due"] {
        assert_eq!(RepeatFrom::parse(malformed), Err(RepeatFromError));
    }
}

#[cfg(feature = "serde")]
#[test]
fn rules_are_serialized_as_text() {
    let rule = repeat("freq=daily");
    let json = serde_json::to_value((&rule, RepeatFrom::Completion)).unwrap();
    assert_eq!(json, serde_json::json!(["FREQ=DAILY", "completion"]));
    assert_eq!(
        serde_json::from_value::<(Repeat, RepeatFrom)>(json).unwrap(),
        (rule, RepeatFrom::Completion)
    );
    assert!(serde_json::from_str::<Repeat>("\"FREQ=HOURLY\"").is_err());
}
