//! How values are written: durations as numbers of a unit, lists as words, nothing as an empty text. The texts of the
//! errors go after the name of the setting.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::num::{NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize};
use std::str::FromStr;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::LogFormat;

/// Numbers that settings can be.
pub trait Whole: FromStr {
    /// The least and the greatest.
    const RANGE: (u64, u64);
}

macro_rules! whole {
    ($($number:ty: $least:expr, $greatest:expr;)+) => {
        $(impl Whole for $number { const RANGE: (u64, u64) = ($least, $greatest as u64); })+
    };
}

whole! {
    u16: 0, u16::MAX;
    u32: 0, u32::MAX;
    NonZeroU16: 1, u16::MAX;
    NonZeroU32: 1, u32::MAX;
    NonZeroU64: 1, u64::MAX;
    NonZeroUsize: 1, usize::MAX;
}

/// Reads a whole number.
pub fn whole<'de, D: Deserializer<'de>, T: Whole>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    let (least, greatest) = T::RANGE;
    text.parse().map_err(|_| {
        D::Error::custom(format_args!(
            "`{text}` is no whole number from {least} to {greatest}"
        ))
    })
}

/// Reads yes or no.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(D::Error::custom(format_args!(
            "`{text}` is neither true nor false"
        ))),
    }
}

pub fn log_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogFormat, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(D::Error::custom(format_args!(
            "`{text}` is neither text nor json"
        ))),
    }
}

/// Reads an address of this machine, or a name that leads to one.
pub fn host<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    if let Some(address) = resolve(&text, 0) {
        return Ok(address.ip());
    }
    let hint = if text.contains(':') {
        "; the port is a setting of its own, server.port"
    } else {
        ""
    };
    Err(D::Error::custom(format_args!(
        "`{text}` is neither an address, such as 127.0.0.1, nor a name that leads to one{hint}"
    )))
}

/// Reads `HOST:PORT`, and an empty text as `None`.
pub fn optional_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let parts = text.rsplit_once(':');
    let address = parts.and_then(|(host, port)| resolve(host, port.parse().ok()?));
    address.map(Some).ok_or_else(|| {
        D::Error::custom(format_args!(
            "`{text}` is not HOST:PORT, such as 127.0.0.1:9464 or localhost:9464"
        ))
    })
}

/// Returns the address of a host, and the one of IPv4 if a name has several.
fn resolve(host: &str, port: u16) -> Option<SocketAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(host).parse() {
        return Some(SocketAddr::new(address, port));
    }
    let is_name = |host: &str| !host.is_empty() && !host.contains([' ', ':', '/', '[']);
    let addresses = is_name(host).then(|| (host, port).to_socket_addrs().ok())?;
    addresses?.min_by_key(SocketAddr::is_ipv6)
}

pub fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds: u16 = whole(deserializer)?;
    Ok(Duration::from_secs(seconds.into()))
}

pub fn minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let minutes: NonZeroU16 = whole(deserializer)?;
    Ok(Duration::from_mins(minutes.get().into()))
}

pub fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let days: NonZeroU16 = whole(deserializer)?;
    Ok(Duration::from_hours(24 * u64::from(days.get())))
}

/// Reads 0 as `None`.
pub fn optional_minutes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let minutes = Duration::from_mins(whole::<_, u32>(deserializer)?.into());
    Ok((!minutes.is_zero()).then_some(minutes))
}

/// Reads 0 as `None`.
pub fn optional_milliseconds<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let milliseconds = Duration::from_millis(whole::<_, u32>(deserializer)?.into());
    Ok((!milliseconds.is_zero()).then_some(milliseconds))
}

/// Reads 0 as `None`.
pub fn optional_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NonZeroU16>, D::Error> {
    whole(deserializer).map(NonZeroU16::new)
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
    let text = String::deserialize(deserializer)?;
    let allowed = text
        .parse()
        .ok()
        .filter(|size: &NonZeroU8| size.get() <= 64);
    allowed
        .ok_or_else(|| D::Error::custom(format_args!("`{text}` is no whole number from 1 to 64")))
}
