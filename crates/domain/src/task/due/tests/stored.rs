//! Texts of stores.

use super::due;
use crate::task::Due;

#[test]
fn stored_texts_keep_the_wall_time_that_was_asked_for() {
    for (given, stored) in [
        ("2026-12-01", "2026-12-01"),
        ("2026-12-01T09:00:00Z", "2026-12-01T09:00:00Z"),
        (
            "2026-12-01T09:00:00.25-03:00",
            "2026-12-01T09:00:00.25-03:00",
        ),
        (
            "2026-12-01T09:00:00+01:00[Europe/Berlin]",
            "2026-12-01T09:00:00[Europe/Berlin]",
        ),
        (
            "2026-03-29T02:30:00+01:00[Europe/Berlin]",
            "2026-03-29T02:30:00[Europe/Berlin]",
        ),
        (
            "2026-10-25T02:30:00+02:00[Europe/Berlin]",
            "2026-10-25T02:30:00[Europe/Berlin]",
        ),
        (
            "2026-10-25T02:30:00+01:00[Europe/Berlin]",
            "2026-10-25T02:30:00[Europe/Berlin][_fold=1]",
        ),
    ] {
        assert_eq!(due(given).to_stored(), stored);
        assert_eq!(Due::from_stored(stored), Ok(due(given)));
    }
    // The second time of an overlap that a newer database no longer has.
    let gone = Due::from_stored("2026-10-26T02:30:00[Europe/Berlin][_fold=1]");
    assert_eq!(gone, Ok(due("2026-10-26T02:30:00+01:00[Europe/Berlin]")));
    for other in [
        "2026-12-01T09:00:00",
        "2026-12-01T09:00:00[+01:00]",
        "2026-12-01T09:00:00+02:00[Europe/Berlin]",
        "2026-12-01T09:00:00[Europe/Atlantis]",
        "",
    ] {
        assert!(Due::from_stored(other).is_err(), "{other}");
    }
    for shown in [
        "2026-12-01T09:00:00Z[Europe/Berlin]",
        "2026-10-25T02:30:00+01:00[Europe/Berlin]",
    ] {
        assert_eq!(Due::from_stored(shown), Ok(due(shown)));
    }
}
