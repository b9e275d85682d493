//! Length limits.

/// Returns whether `text` has more than `max_chars` code points.
pub(crate) fn exceeds(text: &str, max_chars: usize) -> bool {
    // A code point takes at least one byte, so a short text need not be counted.
    text.len() > max_chars && text.chars().nth(max_chars).is_some()
}
