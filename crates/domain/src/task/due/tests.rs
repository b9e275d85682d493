//! Tests of due dates.

mod clock_changes;
mod days;
mod properties;
mod stored;
mod text;

use super::*;

fn due(text: &str) -> Due {
    Due::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
