//! The clock of this computer, which may be wrong.

use std::time::{Duration, SystemTime};

use taskhold_domain::timestamp::Timestamp;

/// Returns the time of this computer.
#[expect(
    clippy::disallowed_methods,
    reason = "the program has no port for time: what it keeps is of this computer"
)]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns a time of this computer as the service writes times.
pub fn timestamp(time: SystemTime) -> Timestamp {
    let micros = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros();
    let micros = i64::try_from(micros).ok();
    let timestamp = micros.and_then(|micros| Timestamp::from_micros(micros).ok());
    timestamp.unwrap_or(Timestamp::LAST)
}

/// Returns the time since a moment; zero if it is in the future, since the clock may have been set back.
pub fn age(moment: SystemTime) -> Duration {
    now().duration_since(moment).unwrap_or_default()
}

/// Returns a duration in words.
pub fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_one_unit() {
        for (seconds, told) in [
            (0, "0 seconds"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (7_199, "1 hour"),
            (172_800, "2 days"),
        ] {
            assert_eq!(words(Duration::from_secs(seconds)), told);
        }
    }
}
