//! Wall times next to changes of clocks, in many zones.

use super::{at, due};
use crate::task::Due;

/// The text of a client, the shown text before its zone, and the instant. Python's `zoneinfo` has the same instant and
/// offset for each line but the second: it takes the later offset of a gap for another instant, 00:30 UTC.
const CLOCK_CHANGES: [(&str, &str, &str); 34] = [
    // A gap: both offsets are right, and mean the same.
    (
        "2026-03-29T02:30:00+01:00[Europe/Berlin]",
        "2026-03-29T03:30:00+02:00",
        "2026-03-29T01:30:00Z",
    ),
    (
        "2026-03-29T02:30:00+02:00[Europe/Berlin]",
        "2026-03-29T03:30:00+02:00",
        "2026-03-29T01:30:00Z",
    ),
    (
        "2026-03-29T02:00:00+01:00[Europe/Berlin]",
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T01:00:00Z",
    ),
    (
        "2026-03-29T01:59:59+01:00[Europe/Berlin]",
        "2026-03-29T01:59:59+01:00",
        "2026-03-29T00:59:59Z",
    ),
    // An overlap: the offset decides.
    (
        "2026-10-25T02:30:00+02:00[Europe/Berlin]",
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T00:30:00Z",
    ),
    (
        "2026-10-25T02:30:00+01:00[Europe/Berlin]",
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T01:30:00Z",
    ),
    (
        "2026-10-25T01:59:59+02:00[Europe/Berlin]",
        "2026-10-25T01:59:59+02:00",
        "2026-10-24T23:59:59Z",
    ),
    (
        "2026-10-25T03:00:00+01:00[Europe/Berlin]",
        "2026-10-25T03:00:00+01:00",
        "2026-10-25T02:00:00Z",
    ),
    // The west.
    (
        "2026-03-08T02:30:00-05:00[America/New_York]",
        "2026-03-08T03:30:00-04:00",
        "2026-03-08T07:30:00Z",
    ),
    (
        "2026-11-01T01:30:00-04:00[America/New_York]",
        "2026-11-01T01:30:00-04:00",
        "2026-11-01T05:30:00Z",
    ),
    (
        "2026-11-01T01:30:00-05:00[America/New_York]",
        "2026-11-01T01:30:00-05:00",
        "2026-11-01T06:30:00Z",
    ),
    // The south: summer time ends in April and begins in October.
    (
        "2026-10-04T02:30:00+10:00[Australia/Sydney]",
        "2026-10-04T03:30:00+11:00",
        "2026-10-03T16:30:00Z",
    ),
    (
        "2026-04-05T02:30:00+11:00[Australia/Sydney]",
        "2026-04-05T02:30:00+11:00",
        "2026-04-04T15:30:00Z",
    ),
    (
        "2026-04-05T02:30:00+10:00[Australia/Sydney]",
        "2026-04-05T02:30:00+10:00",
        "2026-04-04T16:30:00Z",
    ),
    // At midnight.
    (
        "2026-09-06T00:30:00-04:00[America/Santiago]",
        "2026-09-06T01:30:00-03:00",
        "2026-09-06T04:30:00Z",
    ),
    (
        "2026-04-04T23:30:00-03:00[America/Santiago]",
        "2026-04-04T23:30:00-03:00",
        "2026-04-05T02:30:00Z",
    ),
    (
        "2026-04-04T23:30:00-04:00[America/Santiago]",
        "2026-04-04T23:30:00-04:00",
        "2026-04-05T03:30:00Z",
    ),
    // Over midnight.
    (
        "1919-03-30T23:45:00-05:00[America/Toronto]",
        "1919-03-31T00:45:00-04:00",
        "1919-03-31T04:45:00Z",
    ),
    // By half an hour.
    (
        "2026-10-04T02:15:00+10:30[Australia/Lord_Howe]",
        "2026-10-04T02:45:00+11:00",
        "2026-10-03T15:45:00Z",
    ),
    (
        "2026-04-05T01:45:00+11:00[Australia/Lord_Howe]",
        "2026-04-05T01:45:00+11:00",
        "2026-04-04T14:45:00Z",
    ),
    (
        "2026-04-05T01:45:00+10:30[Australia/Lord_Howe]",
        "2026-04-05T01:45:00+10:30",
        "2026-04-04T15:15:00Z",
    ),
    // Days that were skipped.
    (
        "2011-12-30T12:00:00-10:00[Pacific/Apia]",
        "2011-12-31T12:00:00+14:00",
        "2011-12-30T22:00:00Z",
    ),
    (
        "1993-08-21T12:00:00-12:00[Pacific/Kwajalein]",
        "1993-08-22T12:00:00+12:00",
        "1993-08-22T00:00:00Z",
    ),
    // Winter time in Ramadan, and in Ireland.
    (
        "2026-02-15T02:30:00+01:00[Africa/Casablanca]",
        "2026-02-15T02:30:00+01:00",
        "2026-02-15T01:30:00Z",
    ),
    (
        "2026-02-15T02:30:00+00:00[Africa/Casablanca]",
        "2026-02-15T02:30:00+00:00",
        "2026-02-15T02:30:00Z",
    ),
    (
        "2026-03-22T02:30:00+00:00[Africa/Casablanca]",
        "2026-03-22T03:30:00+01:00",
        "2026-03-22T02:30:00Z",
    ),
    (
        "2026-03-29T01:30:00+00:00[Europe/Dublin]",
        "2026-03-29T02:30:00+01:00",
        "2026-03-29T01:30:00Z",
    ),
    // By two hours.
    (
        "2026-03-29T01:30:00+00:00[Antarctica/Troll]",
        "2026-03-29T03:30:00+02:00",
        "2026-03-29T01:30:00Z",
    ),
    // Offsets with seconds, of the time before standard time.
    (
        "1880-01-01T00:00:00+00:53[Europe/Berlin]",
        "1880-01-01T00:00:00+00:53",
        "1879-12-31T23:06:32Z",
    ),
    (
        "1972-01-01T00:00:00-00:45[Africa/Monrovia]",
        "1972-01-01T00:00:00-00:45",
        "1972-01-01T00:44:30Z",
    ),
    (
        "1800-01-01T00:00:00-00:01[Europe/London]",
        "1800-01-01T00:00:00-00:01",
        "1800-01-01T00:01:15Z",
    ),
    // Years before the first and after the last change of clocks that the database lists.
    (
        "0001-01-01T00:53:28+00:53[Europe/Berlin]",
        "0001-01-01T00:53:28+00:53",
        "0001-01-01T00:00:00Z",
    ),
    (
        "2400-07-01T09:00:00+02:00[Europe/Berlin]",
        "2400-07-01T09:00:00+02:00",
        "2400-07-01T07:00:00Z",
    ),
    (
        "9999-07-01T09:00:00-04:00[America/New_York]",
        "9999-07-01T09:00:00-04:00",
        "9999-07-01T13:00:00Z",
    ),
];

#[test]
fn clock_changes_give_the_instants_of_the_database() {
    for (given, shown, instant) in CLOCK_CHANGES {
        let due = due(given);
        let (_, zone) = given.split_once('[').unwrap();
        assert_eq!(due.to_string(), format!("{shown}[{zone}"), "{given}");
        assert_eq!(due.instant(), Some(at(instant)), "{given}");
        assert_eq!(due.date().to_string(), given[..10], "{given}");
        assert_eq!(Due::from_stored(&due.to_stored()), Ok(due), "{given}");
    }
}
