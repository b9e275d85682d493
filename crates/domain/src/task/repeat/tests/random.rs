//! Tests of random rules: properties of all rules, and a comparison with the dates that the crate `rrule` finds.

use std::ops::RangeInclusive;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use proptest::sample::select;

use super::super::RepeatFrom;
use super::{follow_ups, repeat};
use crate::task::Repeat;

const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

fn list(name: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    format!(";{name}={}", items.join(","))
}

/// Returns days without a number, or with `numbers`. No rule has both, since `rrule` then requires that a date is both.
fn by_day(numbers: Vec<i8>) -> impl Strategy<Value = String> {
    let days = |numbers| prop::collection::vec((select(numbers), select(&WEEKDAYS)), 0..4);
    prop_oneof![days(vec![0]), days(numbers)].prop_map(|days| {
        let names = days.into_iter().map(|(number, day)| match number {
            0 => day.to_owned(),
            number => format!("{number}{day}"),
        });
        list("BYDAY", &names.collect::<Vec<_>>())
    })
}

fn by_month_day() -> impl Strategy<Value = String> {
    let day = (-31_i8..=31).prop_filter("a day", |day| *day != 0);
    let day = prop_oneof![day, select(vec![28_i8, 29, 30, 31, -1, -29, -30, -31])];
    prop_oneof![
        2 => Just(String::new()),
        1 => prop::collection::vec(day, 1..5)
            .prop_map(|days| list("BYMONTHDAY", &days.iter().map(ToString::to_string).collect::<Vec<_>>())),
    ]
}

/// Returns rules without an end.
fn rule(max_interval: u32) -> impl Strategy<Value = String> {
    // `rrule` refuses -5MO in a month and -53MO in a year.
    let numbers = |range: RangeInclusive<i8>| range.filter(|number| *number != 0).collect();
    let frequency = prop_oneof![
        (Just("DAILY"), by_day(vec![0]), by_month_day().boxed()),
        (Just("WEEKLY"), by_day(vec![0]), Just(String::new()).boxed()),
        (
            Just("MONTHLY"),
            by_day(numbers(-4..=5)),
            by_month_day().boxed()
        ),
        (
            Just("YEARLY"),
            by_day(numbers(-52..=53)),
            by_month_day().boxed()
        ),
    ];
    let interval = prop_oneof![Just(1), 1..=6_u32, 1..=max_interval];
    (frequency, interval).prop_map(|((frequency, by_day, by_month_day), interval)| {
        format!("FREQ={frequency};INTERVAL={interval}{by_day}{by_month_day}")
    })
}

fn day(from: Date, to: Date) -> impl Strategy<Value = Date> {
    let days = to.duration_since(from).as_hours() / 24;
    (0..=days).prop_map(move |days| from + days.days())
}

fn any_day() -> impl Strategy<Value = Date> {
    day(date(1, 1, 1), date(9999, 12, 31))
}

fn end() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        (1..=Repeat::MAX_NUMBER).prop_map(|count| format!(";COUNT={count}")),
        any_day().prop_map(|day| format!(";UNTIL={}", day.strftime("%Y%m%d"))),
        any_day().prop_map(|day| format!(";UNTIL={}", day.strftime("%Y%m%dT123456Z"))),
    ]
}

fn with_cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(with_cases(2_000))]

    #[test]
    fn shown_rules_are_read_back(rule in rule(Repeat::MAX_NUMBER), end in end(), lower in any::<bool>()) {
        let rule = format!("{rule}{end}");
        let parsed = repeat(&if lower { rule.to_lowercase() } else { rule.clone() });
        let shown = parsed.to_string();
        prop_assert!(shown.len() <= rule.len());
        prop_assert_eq!(repeat(&shown).to_string(), shown.clone());
        prop_assert_eq!(repeat(&shown), parsed);
    }

    #[test]
    fn any_text_is_a_rule_or_refused(raw in any::<String>(), parts in "(FREQ|BYDAY|UNTIL|COUNT|;|=|,|-|1|MO|é|T|Z){0,12}") {
        for raw in [raw, parts.clone(), format!("FREQ=MONTHLY;BYDAY={parts}"), format!("FREQ=DAILY;UNTIL={parts}")] {
            if let Ok(rule) = Repeat::parse(&raw) {
                prop_assert_eq!(Repeat::parse(&rule.to_string()), Ok(rule));
            }
        }
    }

    #[test]
    fn next_date_is_later_and_only_an_end_takes_it_away(
        rule in rule(400), due in any_day(), after in any_day(), until in any_day(), count in 1..4_u32
    ) {
        let next = |rule: &str| repeat(rule).next(due, after).map(|(date, _)| date);
        let date = next(&rule);
        prop_assert!(date.is_none_or(|date| date > due && date > after));
        let until_day = format!("{rule};UNTIL={}", until.strftime("%Y%m%d"));
        prop_assert_eq!(next(&until_day), date.filter(|date| *date <= until));
        prop_assert_eq!(next(&format!("{until_day}T235959Z")), date.filter(|date| *date <= until));
        prop_assert_eq!(next(&format!("{rule};COUNT={count}")), date.filter(|_| count > 1));
    }

    #[test]
    fn follow_up_of_a_completion_starts_on_its_day(rule in rule(400), due in any_day(), completed in any_day()) {
        let rule = repeat(&rule);
        let follow_up = |from| rule.follow_up(from, due, completed, |_| None);
        prop_assert_eq!(follow_up(RepeatFrom::Due), rule.next(due, due));
        prop_assert_eq!(follow_up(RepeatFrom::Completion), rule.next(completed, completed));
    }

    #[test]
    fn skipping_to_a_day_finds_what_single_steps_find(
        rule in rule(12), due in day(date(1890, 1, 1), date(2110, 1, 1)), distance in 0..1_000_i64
    ) {
        let after = due + distance.days();
        let stepped = follow_ups(&rule, due).find(|date| *date > after);
        prop_assert_eq!(repeat(&rule).next(due, after).map(|(date, _)| date), stepped);
    }
}

/// The number of years that are compared. The end is for rules without a date, of which `rrule` tries period after
/// period.
const ORACLE_YEARS: i64 = 30;

fn oracle(rule: &str, due: Date, until: Date) -> Vec<Date> {
    let rules = format!(
        "DTSTART:{}\nRRULE:{rule};UNTIL={}",
        due.strftime("%Y%m%dT090000Z"),
        until.strftime("%Y%m%dT090000Z"),
    );
    let rules: rrule::RRuleSet = rules
        .parse()
        .unwrap_or_else(|error| panic!("{rules}: {error}"));
    let found = rules.all(6);
    let dates = found.dates.iter().map(|date| {
        let date = date.format("%Y-%m-%d").to_string();
        date.parse::<Date>().unwrap()
    });
    dates.filter(|date| *date > due).take(5).collect()
}

proptest! {
    #![proptest_config(with_cases(10_000))]

    #[test]
    fn next_five_dates_are_those_of_rrule(
        rule in rule(100), due in day(date(1890, 1, 1), date(2110, 12, 31))
    ) {
        let until = due + ORACLE_YEARS.years();
        let bounded = format!("{rule};UNTIL={}", until.strftime("%Y%m%d"));
        let dates: Vec<_> = follow_ups(&bounded, due).take(5).collect();
        prop_assert_eq!(dates, oracle(&rule, due, until), "{} from {}", rule, due);
    }
}
