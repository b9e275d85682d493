//! Properties of due dates, with random texts, dates and zones.

use jiff::civil::{DateTime, date};
use proptest::prelude::*;

use super::due;
use crate::task::{Due, DueTime};
use crate::zone::tests::any_zone;

fn any_wall() -> impl Strategy<Value = DateTime> {
    (-4_000_000_000_i64..8_000_000_000, 0..4_i32).prop_map(|(second, fraction)| {
        let second = jiff::SignedDuration::new(second, fraction * 250_000_000);
        DateTime::constant(1970, 1, 1, 0, 0, 0, 0).saturating_add(second)
    })
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), close in "[0-9TZ:.+-]{10,30}(\\[[A-Za-z/=!+-]{0,9}\\])?") {
        for text in [text, close] {
            if let Ok(due) = Due::parse(&text) {
                prop_assert_eq!(Due::parse(&due.to_string()), Ok(due));
            }
            let _ = Due::from_stored(&text);
        }
    }

    #[test]
    fn dates_are_never_shifted(days in -719_162..=2_932_896_i64, zone in any_zone()) {
        let date = date(1970, 1, 1) + jiff::SignedDuration::from_hours(24 * days);
        let due = due(&date.to_string());
        prop_assert_eq!(&due, &Due::Date(date));
        prop_assert_eq!(due.to_string(), date.to_string());
        prop_assert_eq!(due.day_in(&zone), date);
        prop_assert_eq!(Due::from_stored(&due.to_stored()), Ok(due));
    }

    #[test]
    fn zoned_times_are_kept(wall in any_wall(), zone in any_zone()) {
        let asked = Due::Time(DueTime::new(wall, zone.clone()).unwrap());
        prop_assert_eq!(Due::from_stored(&asked.to_stored()), Ok(asked.clone()));
        let shown = due(&asked.to_string());
        prop_assert_eq!(shown.to_string(), asked.to_string());
        prop_assert_eq!(shown.instant(), asked.instant());
        let wall_is_shown = asked.to_string().starts_with(&wall.to_string());
        prop_assert_eq!(shown == asked, wall_is_shown);
        prop_assert_eq!(asked.on(asked.date()), Some(asked));
    }

    #[test]
    fn instants_are_those_of_the_zone(wall in any_wall(), zone in any_zone()) {
        let utc = Due::parse(&format!("{wall}Z")).unwrap();
        let instant = utc.instant();
        let zoned = due(&format!("{wall}Z[{zone}]"));
        prop_assert_eq!(zoned.instant(), instant);
        prop_assert_eq!(due(&zoned.to_string()).instant(), instant);
        prop_assert_eq!(Due::from_stored(&zoned.to_stored()).map(|due| due.instant()), Ok(instant));
    }

    /// Clocks are changed by less than two days, so a wall time that is later by two days is a later instant.
    #[test]
    fn instants_follow_their_wall_times(wall in any_wall(), zone in any_zone(), days in 2..400_i64) {
        let later = wall.saturating_add(jiff::SignedDuration::from_hours(24 * days));
        let at = |wall| DueTime::new(wall, zone.clone()).unwrap().instant();
        prop_assert!(at(wall) < at(later));
    }
}
