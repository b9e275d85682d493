//! Finding tasks by their text.

/// Text as it is compared in a search: every character in Unicode lower case by itself, without
/// regard to its neighbours, so that the folded form of a part is a part of the folded form. The
/// two lower-case sigmas, which differ only by their place in a word, count as one.
///
/// ```
/// use taskhold_domain::search::fold;
///
/// assert_eq!(fold("Straße ÖFFNEN"), "straße öffnen");
/// assert!(fold("ΟΔΟΣ ΕΡΜΟΥ").contains(&fold("οδος")));
/// ```
#[must_use]
pub fn fold(text: &str) -> String {
    // The same and much faster, for most texts there are.
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_part_of_a_text_is_found_in_it_in_upper_and_lower_case(
            before in any::<String>(), part in any::<String>(), after in any::<String>(),
        ) {
            let whole = fold(&format!("{before}{part}{after}"));
            prop_assert!(whole.contains(&fold(&part)));
            prop_assert_eq!(fold(&whole), whole);
        }
    }

    #[test]
    fn scripts_with_case_are_folded_and_others_stay() {
        for (text, folded) in [
            ("Buy MILK, 2 l", "buy milk, 2 l"),
            ("МОЛОКО Ёж", "молоко ёж"),
            ("ΟΔΟΣ", "οδοσ"),
            ("İSTANBUL", "i\u{307}stanbul"),
            ("ÀÉ", "àé"),
            ("牛乳 חלב", "牛乳 חלב"),
            ("100%_\\", "100%_\\"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }
}
