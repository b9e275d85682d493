//! Comparison of e-mail addresses and passwords.

/// Returns each character of `text` in Unicode lower case, independent of its neighbours. The two lower-case
/// sigmas, which differ only by their place in a word, are equal.
///
/// Accounts are stored under addresses in this form, so it never changes. A [search](crate::search) compares more
/// loosely.
///
/// ```
/// use taskhold_domain::lower_case::lower_case;
///
/// assert_eq!(lower_case("ÄNNA@Straße.example"), "änna@straße.example");
/// ```
#[must_use]
pub fn lower_case(text: &str) -> String {
    // The same result, and much faster for most texts.
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars()
        .flat_map(char::to_lowercase)
        .map(|lower| if lower == 'ς' { 'σ' } else { lower })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scripts_with_case_have_a_lower_case() {
        for (text, lower) in [
            ("МОЛОКО Ёж", "молоко ёж"),
            ("ΟΔΟΣ", "οδοσ"),
            ("İSTANBUL", "i\u{307}stanbul"),
            ("ÀÉ", "àé"),
            ("牛乳 חלב", "牛乳 חלב"),
        ] {
            assert_eq!(lower_case(text), lower);
        }
    }
}
