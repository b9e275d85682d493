//! How values are written: durations as numbers of a unit, lists as words, nothing as an empty text.

use std::fmt::Display;
use std::num::{NonZeroU8, NonZeroU16};
use std::str::FromStr;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

pub fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = u16::deserialize(deserializer)?;
    Ok(Duration::from_secs(seconds.into()))
}

pub fn minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let minutes = NonZeroU16::deserialize(deserializer)?;
    Ok(Duration::from_mins(minutes.get().into()))
}

pub fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let days = NonZeroU16::deserialize(deserializer)?;
    Ok(Duration::from_hours(24 * u64::from(days.get())))
}

/// Reads 0 as `None`.
pub fn optional_minutes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let minutes = Duration::from_mins(u32::deserialize(deserializer)?.into());
    Ok((!minutes.is_zero()).then_some(minutes))
}

/// Reads 0 as `None`.
pub fn optional_milliseconds<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let milliseconds = Duration::from_millis(u32::deserialize(deserializer)?.into());
    Ok((!milliseconds.is_zero()).then_some(milliseconds))
}

/// Reads 0 as `None`.
pub fn optional_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NonZeroU16>, D::Error> {
    u16::deserialize(deserializer).map(NonZeroU16::new)
}

/// Reads an empty text as `None`.
pub fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    let value = (!text.is_empty()).then(|| text.parse().map_err(D::Error::custom));
    value.transpose()
}

/// Reads words that are separated by spaces.
pub fn words<'de, D, T, E>(
    deserializer: D,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    E: Display,
{
    let text = String::deserialize(deserializer)?;
    let words = text.split_whitespace().map(|word| {
        parse(word).map_err(|error| D::Error::custom(format_args!("`{word}`: {error}")))
    });
    words.collect()
}

/// Reads how many calls share a statement: 1 to 64.
pub fn batch_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU8, D::Error> {
    let size = u64::deserialize(deserializer)?;
    let allowed = u8::try_from(size).ok().filter(|size| *size <= 64);
    let size = allowed.and_then(NonZeroU8::new);
    size.ok_or_else(|| D::Error::custom("it must be from 1 to 64"))
}
