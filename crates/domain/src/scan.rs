//! Parsers of texts in a fixed form, such as dates and times.

use std::str::FromStr;

/// Parses a number of ASCII digits, without a sign.
pub(crate) fn digits<T: FromStr>(text: &str) -> Option<T> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// The unparsed rest of a text.
pub(crate) struct Rest<'a>(pub(crate) &'a str);

impl Rest<'_> {
    /// Takes numbers of the given lengths in digits, with a separator between them.
    pub(crate) fn numbers<const N: usize>(
        &mut self,
        lengths: [usize; N],
        separator: &str,
    ) -> Option<[i16; N]> {
        let mut numbers = [0; N];
        for (index, (number, length)) in numbers.iter_mut().zip(lengths).enumerate() {
            if index > 0 {
                self.0 = self.0.strip_prefix(separator)?;
            }
            let (text, rest) = self.0.split_at_checked(length)?;
            *number = digits(text)?;
            self.0 = rest;
        }
        Some(numbers)
    }

    /// Skips the next character if it is one of `chars`, and returns whether it was.
    pub(crate) fn skip(&mut self, chars: &[char]) -> bool {
        let rest = self.0.strip_prefix(chars);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Returns the text that was taken since the rest was `before`.
    pub(crate) fn taken_from<'b>(&self, before: &'b str) -> &'b str {
        before.strip_suffix(self.0).unwrap_or(before)
    }

    /// Takes a fraction of a second, such as `.25`, if one comes next, and returns its microseconds. Further digits are
    /// cut off. Returns `None` for a point without digits.
    pub(crate) fn fraction(&mut self) -> Option<i32> {
        if !self.skip(&['.']) {
            return Some(0);
        }
        let digits = self.0;
        self.0 = digits.trim_start_matches(|char: char| char.is_ascii_digit());
        let digits = digits.strip_suffix(self.0)?.as_bytes();
        if digits.is_empty() {
            return None;
        }
        let places = digits.iter().chain(b"000000").take(6);
        Some(places.fold(0, |micros, digit| micros * 10 + i32::from(digit - b'0')))
    }
}
