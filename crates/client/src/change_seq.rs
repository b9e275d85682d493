//! The header `Change-Seq`: the number of a change that an answer tells, or that the next answer must include.

use reqwest::header::{HeaderMap, HeaderName};

/// The header.
pub(crate) const CHANGE_SEQ: HeaderName = HeaderName::from_static("change-seq");

/// Returns the number of the change that an answer tells.
pub(crate) fn change_seq(headers: &HeaderMap) -> Option<i64> {
    let value = headers.get(CHANGE_SEQ)?;
    value.to_str().ok()?.parse().ok()
}
