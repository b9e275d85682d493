//! How long a text is.

/// Whether a text has more code points than so many.
pub(crate) fn exceeds(text: &str, max_chars: usize) -> bool {
    // A code point has at least one byte, so most texts need not be counted.
    text.len() > max_chars && text.chars().nth(max_chars).is_some()
}
