//! Characters that a terminal or a reader of text does not show, but obeys.

/// Returns whether a character is safe to print: neither a control character (C0, DEL, C1), nor a line or
/// paragraph separator, nor one that changes the direction of the text around it.
///
/// ```
/// use taskhold_domain::printable::is_printable;
///
/// assert!("Anna Иванова 名 👩‍👩‍👧".chars().all(is_printable));
/// assert!(!"\u{1b}\t\n\u{7f}\u{9b}\u{2028}\u{202e}\u{2066}".chars().any(is_printable));
/// ```
#[must_use]
pub fn is_printable(char: char) -> bool {
    let is_format = matches!(
        char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}'
    );
    !char.is_control() && !is_format
}
