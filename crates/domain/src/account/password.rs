//! Passwords, and which of them are too easy to guess.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use super::{DisplayName, Email};
use crate::length::exceeds;
use crate::lower_case::lower_case;
use crate::predictable::{repeats_less_than, surprises};

/// The most common passwords in lower case, sorted by their bytes, a line each: those of
/// [`Password::MIN_CHARS`] or more, and the words that people add digits to.
const COMMON: &[u8] = include_bytes!("common_passwords.txt");

/// The name of the service, which is as easy to guess as the account's own words.
const SERVICE: &str = "taskhold";

/// The fewest characters of a password that must not follow from those before them.
const MIN_SURPRISES: usize = 5;

/// A password of [`MIN_CHARS`](Self::MIN_CHARS) to [`MAX_CHARS`](Self::MAX_CHARS) code points in its
/// [normal form](Self::normalize). There are no rules of composition and nothing is trimmed, but the
/// passwords that are guessed first are refused (NIST SP 800-63B). Its `Debug` shows nothing.
///
/// ```
/// use taskhold_domain::account::{Password, PasswordError};
///
/// assert!(Password::parse("correct horse").is_ok());
/// assert_eq!(Password::parse("Passw0rd!"), Err(PasswordError::Common));
/// assert_eq!(Password::parse("12345678"), Err(PasswordError::Predictable));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// The error of a string that is not a [`Password`], or not one of this account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The password is missing or shorter than [`Password::MIN_CHARS`].
    #[error("Password must have at least {} characters", Password::MIN_CHARS)]
    TooShort,
    /// The password is longer than [`Password::MAX_CHARS`].
    #[error("Password must not exceed {} characters", Password::MAX_CHARS)]
    TooLong,
    /// The password is a repetition, a sequence or a row of a keyboard.
    #[error("Password must not be a repetition, a sequence or a row of keys: choose several words")]
    Predictable,
    /// The password is among the most common ones, or is one with digits or signs around it.
    #[error(
        "Password must not be a common one, even with digits or signs added: choose several words"
    )]
    Common,
    /// The password consists of words of the account, or of the service's name.
    #[error(
        "Password must not be made of the e-mail address, the name or \"taskhold\": choose other words"
    )]
    OwnWords,
}

impl Password {
    /// The smallest length, in code points.
    pub const MIN_CHARS: usize = 8;
    /// The greatest length, in code points.
    pub const MAX_CHARS: usize = 128;

    /// Checks the rules that do not depend on the account, and keeps the normal form of the password.
    ///
    /// # Errors
    /// [`PasswordError`]: the first broken rule, never `OwnWords`.
    pub fn parse(raw: impl AsRef<str>) -> Result<Self, PasswordError> {
        let text = Self::normalize(raw.as_ref());
        if text.chars().nth(Self::MIN_CHARS - 1).is_none() {
            return Err(PasswordError::TooShort);
        }
        if exceeds(&text, Self::MAX_CHARS) {
            return Err(PasswordError::TooLong);
        }
        let key = compared(&text);
        if repeats_less_than(&key, Self::MIN_CHARS) || surprises(&key) < MIN_SURPRISES {
            Err(PasswordError::Predictable)
        } else if is_common(&key) {
            Err(PasswordError::Common)
        } else {
            Ok(Self(text))
        }
    }

    /// Returns the form that is hashed (RFC 8265, `OpaqueString`): in Unicode's form C, with every space of
    /// another script as an ASCII space. Keyboards and systems differ in how they write the same characters.
    #[must_use]
    pub fn normalize(raw: &str) -> String {
        let spaces = raw.chars().map(|char| match char {
            '\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200a}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{3000}' => ' ',
            other => other,
        });
        spaces.nfc().collect()
    }

    /// Checks that the password does not consist of the words of its account, apart from a few characters.
    ///
    /// # Errors
    /// [`PasswordError::OwnWords`].
    pub fn refuse_own_words(
        &self,
        email: Option<&Email>,
        name: Option<&DisplayName>,
    ) -> Result<(), PasswordError> {
        /// Shorter words occur in others by chance.
        const MIN_WORD: usize = 3;
        let texts = [
            email.map(Email::as_str),
            email.and_then(|email| email.as_str().split('@').next()),
            name.map(DisplayName::as_str),
            Some(SERVICE),
        ];
        let texts = texts.map(|text| compared(text.unwrap_or_default()));
        let parts = texts
            .iter()
            .flat_map(|text| text.split(|char: char| !char.is_alphanumeric()));
        let mut words: Vec<&str> = texts.iter().map(String::as_str).chain(parts).collect();
        words.retain(|word| word.chars().nth(MIN_WORD - 1).is_some());
        // A word goes before those that it contains.
        words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
        let key = compared(&self.0);
        let rest = words
            .iter()
            .fold(key.clone(), |rest, word| rest.replace(word, ""));
        if rest != key && is_weak_rest(&rest) {
            return Err(PasswordError::OwnWords);
        }
        Ok(())
    }

    /// Returns the normal form of the password.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Returns the form in which passwords and words are compared: without differences of case and width.
fn compared(text: &str) -> String {
    lower_case(&text.nfkc().collect::<String>())
}

/// Returns whether what was added to guessable words adds too little. Signs between words add nothing.
fn is_weak_rest(rest: &str) -> bool {
    let rest: String = rest.chars().filter(|char| char.is_alphanumeric()).collect();
    let has_letter = rest.contains(char::is_alphabetic);
    surprises(&rest) < MIN_SURPRISES
        || !has_letter && rest.chars().nth(Password::MIN_CHARS - 1).is_none()
}

/// Returns whether a password is common, also backwards, twice, with digits for letters, or with digits and
/// signs around it.
fn is_common(key: &str) -> bool {
    let half = key.len() / 2;
    let once = match key.split_at_checked(half) {
        Some((first, second)) if first == second => first,
        _ => key,
    };
    let backwards: String = once.chars().rev().collect();
    [once, &backwards].into_iter().any(|text| {
        let core = text.trim_matches(|char: char| !char.is_alphabetic());
        // Eight digits more are a password of their own.
        let is_core = text.chars().count() < core.chars().count() + Password::MIN_CHARS;
        is_listed(text)
            || is_listed(&with_letters(text))
            || is_core && (is_listed(core) || is_listed(&with_letters(core)))
    })
}

/// Replaces the digits and signs that people write for letters.
fn with_letters(text: &str) -> String {
    let letters = text.chars().map(|char| match char {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    });
    letters.collect()
}

/// Searches the list by halves, so that it takes no memory but the program's own.
fn is_listed(word: &str) -> bool {
    let is_end = |byte: &u8| *byte == b'\n';
    let mut lines = COMMON;
    while !lines.is_empty() {
        let (before, after) = lines.split_at(lines.len() / 2);
        let start = before.iter().rposition(is_end).map_or(0, |end| end + 1);
        let end = after
            .iter()
            .position(is_end)
            .map_or(lines.len(), |end| before.len() + end);
        let line = lines.get(start..end).unwrap_or_default();
        lines = match line.cmp(word.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => lines.get(end + 1..).unwrap_or_default(),
            std::cmp::Ordering::Greater => lines.get(..start).unwrap_or_default(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_code_points_of_the_normal_form() {
        assert_eq!(Password::parse("1234567"), Err(PasswordError::TooShort));
        assert!(Password::parse("🔑🔒🗝a🔓bü名").is_ok());
        assert_eq!(
            Password::parse("x".repeat(129)),
            Err(PasswordError::TooLong)
        );
        let decomposed = "e\u{301}".repeat(7);
        assert_eq!(Password::parse(decomposed), Err(PasswordError::TooShort));
        let long: String = ('\u{4e00}'..).take(128).collect();
        assert!(Password::parse(long).is_ok());
    }

    #[test]
    fn spellings_of_the_same_characters_are_one_password() {
        let composed = Password::parse("Ünüblich fährt").unwrap();
        let decomposed = Password::parse("U\u{308}nu\u{308}blich\u{3000}fa\u{308}hrt").unwrap();
        assert_eq!(composed, decomposed);
        assert_eq!(composed.as_str(), "Ünüblich fährt");
        let other_case = Password::parse("ünüblich fährt").unwrap();
        assert_ne!(composed, other_case, "case counts");
    }

    #[test]
    fn predictable_passwords_are_refused() {
        for raw in [
            "        ",
            "\u{a0}\u{2003}\u{3000}     ",
            "aaaaaaaaaaaa",
            "12345678",
            "87654321",
            "abcdefghijkl",
            "qwertyuiop",
            "1q2w3e4r",
            "1qaz2wsx",
            "abcabcabcabc",
            "pa55pa55pa55",
            "🔑🔑🔑🔑🔑🔑🔑🔑",
        ] {
            assert_eq!(
                Password::parse(raw),
                Err(PasswordError::Predictable),
                "{raw:?}"
            );
        }
    }

    #[test]
    fn common_passwords_are_refused_in_every_disguise() {
        for raw in [
            "password",
            "PASSWORD",
            "Password1",
            "Password1!",
            "P@ssw0rd",
            "Passw0rd2026!",
            "ｐａｓｓｗｏｒｄ",
            " password ",
            "passwordpassword",
            "drowssap",
            "iloveyou",
            "trustno1",
            "football",
            "Welcome2026!",
            "!!monkey!!",
            "qwerty123!",
            "letmein2024",
            "dragon-1984",
            "correct horse battery staple",
        ] {
            let refused = Password::parse(raw);
            assert_eq!(refused, Err(PasswordError::Common), "{raw:?}");
        }
        for raw in [
            "correct horse",
            "battery staple",
            "another horse",
            "whatever it is",
            "pässword ",
            "x7#Kq!2m",
            "dragon 83920475",
            "my password is fine with ants",
        ] {
            assert!(Password::parse(raw).is_ok(), "{raw:?}");
        }
    }

    #[test]
    fn words_of_the_account_are_refused() {
        let email = Email::parse("Anna.Zwetajewa@Mail.Example.org").unwrap();
        let name = DisplayName::parse("Änne von Ö").unwrap();
        let check = |raw: &str| {
            let password = Password::parse(raw).unwrap();
            password.refuse_own_words(Some(&email), Some(&name))
        };
        for raw in [
            "anna.zwetajewa@mail.example.org",
            "ANNA.ZWETAJEWA",
            "annazwetajewa",
            "zwetajewa1984",
            "Zwetajewa-2026!",
            "mail.example.org",
            "Änne von Ö",
            "a\u{308}nne von o\u{308}",
            "taskhold",
            "TaskHold2026",
            "taskhold-anna",
            "anna@example.com!",
        ] {
            assert_eq!(check(raw), Err(PasswordError::OwnWords), "{raw:?}");
        }
        for raw in ["correct horse", "anna rides a zebra", "hannah's gold fish"] {
            assert_eq!(check(raw), Ok(()), "{raw:?}");
        }
        let password = Password::parse("TASKHOLD!!").unwrap();
        assert!(password.refuse_own_words(None, None).is_err());
        let password = Password::parse("correct horse").unwrap();
        assert!(password.refuse_own_words(None, None).is_ok());
    }

    #[test]
    fn every_line_of_the_list_is_found() {
        let list = std::str::from_utf8(COMMON).unwrap();
        assert!(list.lines().is_sorted() && list.lines().count() > 10_000);
        assert!(list.lines().all(is_listed));
        assert!(!is_listed("") && !is_listed("passwore") && !is_listed("\u{10ffff}"));
    }
}
