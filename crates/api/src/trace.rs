//! The trace that a request belongs to, according to its client (W3C Trace Context).

use std::fmt;

use actix_web::http::header::HeaderMap;
use tracing::Span;

const TRACEPARENT: &str = "traceparent";

/// The client's trace, and the span in it that sent this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// Never 0.
    pub trace_id: TraceId,
    /// Never 0.
    pub parent_id: ParentId,
    /// `true` if the client records its span.
    pub is_sampled: bool,
}

/// The id of a trace, displayed as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(pub u128);

/// The id of a span, displayed as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParentId(pub u64);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for ParentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A destination of spans.
pub trait Traces: Send + Sync {
    /// Adds the span of a request to its client's trace, or to a new one, and returns the id of the
    /// trace.
    fn join(&self, request: &Span, parent: Option<TraceParent>) -> TraceId;

    /// Names the span of a request, once the route is known.
    fn name(&self, request: &Span, name: String);
}

impl TraceParent {
    /// Returns the `traceparent` of a request. A malformed or repeated one is ignored, as the standard
    /// requires.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(TRACEPARENT);
        let (Some(given), None) = (given.next(), given.next()) else {
            return None;
        };
        Self::parse(given.to_str().ok()?)
    }

    /// Parses `version-trace_id-parent_id-flags`. A later version may add fields.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let version = hex(parts.next()?, 2)?;
        let trace_id = hex(parts.next()?, 32)?;
        let parent_id = u64::try_from(hex(parts.next()?, 16)?).ok()?;
        let flags = hex(parts.next()?, 2)?;
        let is_valid = match version {
            0 => parts.next().is_none(),
            0xff => false,
            _ => true,
        };
        (is_valid && trace_id != 0 && parent_id != 0).then_some(Self {
            trace_id: TraceId(trace_id),
            parent_id: ParentId(parent_id),
            is_sampled: flags & 1 == 1,
        })
    }
}

/// Parses exactly `count` hexadecimal digits in lower case.
fn hex(digits: &str, count: usize) -> Option<u128> {
    let is_valid = digits.len() == count
        && digits
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let number = is_valid.then(|| u128::from_str_radix(digits, 16));
    number?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_traceparent_is_parsed() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
        let parent = TraceParent::parse(text).unwrap();
        assert!(parent.is_sampled);
        let TraceParent {
            trace_id,
            parent_id,
            ..
        } = parent;
        assert_eq!(format!("00-{trace_id}-{parent_id}-01"), text);
        let unsampled = TraceParent::parse(&text.replace("-01", "-02")).unwrap();
        assert!(!unsampled.is_sampled);
        let later = text.replacen("00", "cc", 1);
        assert_eq!(TraceParent::parse(&later), Some(parent));
        assert_eq!(TraceParent::parse(&(later + "-more-still")), Some(parent));
    }

    #[test]
    fn malformed_traceparent_is_ignored() {
        let valid = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
        for malformed in [
            "",
            "00",
            &valid.replacen("00", "ff", 1),
            &valid.to_uppercase(),
            &format!("{valid}-more"),
            &format!("{valid}-"),
            &format!(" {valid}"),
            &valid.replace("0af765", "+af765"),
            &valid.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &valid.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &valid.replace("-01", "-1"),
            &valid.replace("-01", ""),
            &valid.replace("b7-", "b-"),
            &valid.replace('-', "_"),
        ] {
            assert_eq!(TraceParent::parse(malformed), None, "{malformed}");
        }
    }
}
