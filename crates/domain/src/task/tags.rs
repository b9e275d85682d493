//! Tags.

use std::collections::HashSet;

use crate::length::exceeds;
use crate::search::fold;
use crate::text::text_traits;

/// A tag: 1 to [`MAX_CHARS`](Self::MAX_CHARS) code points, kept exactly as given. It contains neither a comma
/// (U+002C) nor a control character (C0, DEL, C1), and has no white space at its beginning or end.
///
/// Two tags are equal if they are spelled alike. They mean the same if their [keys](Self::key) are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

/// A broken rule of tags, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The tag is empty.
    #[error("Task tag must not be empty")]
    Empty,
    /// The tag is longer than [`Tag::MAX_CHARS`].
    #[error("Task tag must not exceed {} characters", Tag::MAX_CHARS)]
    TooLong,
    /// The tag contains a control character.
    #[error("Task tag must not contain control characters")]
    Control,
    /// The tag contains a comma.
    #[error("Task tag must not contain commas")]
    Comma,
    /// The tag begins or ends with white space.
    #[error("Task tag must not begin or end with white space")]
    OuterSpace,
}

impl Tag {
    /// The greatest length, in code points (Unicode scalar values, not bytes or graphemes).
    pub const MAX_CHARS: usize = 50;

    /// Checks the rules and keeps the string as it is.
    ///
    /// # Errors
    /// [`TagError`]: the first broken rule.
    pub fn parse(raw: impl AsRef<str> + Into<String>) -> Result<Self, TagError> {
        match Self::broken_rule(raw.as_ref()) {
            Some(broken) => Err(broken),
            None => Ok(Self(raw.into())),
        }
    }

    fn broken_rule(raw: &str) -> Option<TagError> {
        if raw.is_empty() {
            Some(TagError::Empty)
        } else if exceeds(raw, Self::MAX_CHARS) {
            Some(TagError::TooLong)
        } else if raw.contains(char::is_control) {
            Some(TagError::Control)
        } else if raw.contains(',') {
            Some(TagError::Comma)
        } else if raw.trim() != raw {
            Some(TagError::OuterSpace)
        } else {
            None
        }
    }

    /// Returns the tag as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the form in which tags are compared and filtered, that of a [search](fold): `Straße` and `STRASSE`
    /// have one key, and so have the composed and the decomposed form of `é`; the keys of `e` and `é` differ.
    /// A key can be longer than a tag. A store can keep keys: Unicode does not change the folding of existing
    /// characters.
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

text_traits!(Tag, TagError);

/// The tags of a task: up to [`MAX_COUNT`](Self::MAX_COUNT) of them, no two with the same [key](Tag::key), in the
/// order in which they were given; none by default.
///
/// ```
/// use taskhold_domain::task::{Tag, Tags};
///
/// let tags = Tags::parse(["Home", "garden", "HOME"])?;
/// assert_eq!(tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["Home", "garden"]);
/// assert!(tags.contains(&Tag::parse("home")?.key()));
///
/// let error = Tags::parse(["Home", "bread, milk"]).unwrap_err();
/// assert_eq!(error.to_string(), "Task tag must not contain commas (tags[1])");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tags(Vec<Tag>);

/// A broken rule of a list of tags: the first one in the order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagsError {
    /// The tags are not an array of strings.
    #[error("Task tags must be an array of strings")]
    NotStrings,
    /// A tag breaks a rule.
    #[error("{rule} (tags[{index}])")]
    Tag {
        /// The place of the tag among those given, from 0.
        index: usize,
        /// The first rule that it breaks.
        rule: TagError,
    },
    /// There are more than [`Tags::MAX_COUNT`] different tags.
    #[error("Task must not have more than {} tags", Tags::MAX_COUNT)]
    TooMany,
    /// More than [`Tags::MAX_GIVEN`] tags were given, repeated ones included.
    #[error(
        "Task must not be given more than {} tags, repeated ones included",
        Tags::MAX_GIVEN
    )]
    TooManyGiven,
}

impl Tags {
    /// The greatest number of different tags.
    pub const MAX_COUNT: usize = 20;

    /// The greatest number of tags that are looked at. It bounds the work for a list of one tag a million times.
    pub const MAX_GIVEN: usize = 1000;

    /// Checks the rules, and keeps the first spelling of each tag. Reads no further than the first broken rule.
    ///
    /// # Errors
    /// [`TagsError`]: the first broken rule.
    pub fn parse(given: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, TagsError> {
        let mut tags = Vec::new();
        let mut keys = HashSet::new();
        for (index, raw) in given.into_iter().enumerate() {
            if index == Self::MAX_GIVEN {
                return Err(TagsError::TooManyGiven);
            }
            let tag = Tag::parse(raw.as_ref()).map_err(|rule| TagsError::Tag { index, rule })?;
            if !keys.insert(tag.key()) {
                continue;
            }
            if tags.len() == Self::MAX_COUNT {
                return Err(TagsError::TooMany);
            }
            tags.push(tag);
        }
        Ok(Self(tags))
    }

    /// Returns the tags in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Tag> {
        self.0.iter()
    }

    /// Returns the number of tags.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no tag.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether one of the tags has the [key](Tag::key) `key`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.0.iter().any(|tag| tag.key() == key)
    }
}

impl<'a> IntoIterator for &'a Tags {
    type Item = &'a Tag;
    type IntoIter = std::slice::Iter<'a, Tag>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn texts(tags: &Tags) -> Vec<&str> {
        tags.iter().map(Tag::as_str).collect()
    }

    #[test]
    fn tags_of_1_to_50_code_points_are_kept_to_the_letter() {
        for raw in [
            "a",
            "two words",
            "C#",
            "#1",
            "牛乳",
            "👩‍👩‍👧",
            "e\u{301}",
            "\u{301}",
            "a\u{2028}b",
            "a\u{a0}b",
            "a;b\u{ff0c}c",
            &"a".repeat(50),
            &"\u{1F600}".repeat(50),
            &"e\u{301}".repeat(25),
        ] {
            assert_eq!(Tag::parse(raw).unwrap().as_str(), raw);
        }
    }

    #[test]
    fn first_broken_rule_of_a_tag_is_reported() {
        for (raw, rule, message) in [
            ("", TagError::Empty, "Task tag must not be empty"),
            (
                ",\0".repeat(26).as_str(),
                TagError::TooLong,
                "Task tag must not exceed 50 characters",
            ),
            (
                "\u{1F600}".repeat(51).as_str(),
                TagError::TooLong,
                "Task tag must not exceed 50 characters",
            ),
            (
                " ,\n",
                TagError::Control,
                "Task tag must not contain control characters",
            ),
            (" ,", TagError::Comma, "Task tag must not contain commas"),
            (
                " a",
                TagError::OuterSpace,
                "Task tag must not begin or end with white space",
            ),
        ] {
            assert_eq!(Tag::parse(raw), Err(rule), "{raw:?}");
            assert_eq!(rule.to_string(), message);
        }
        for control in ["\0", "a\tb", "a\n", "\u{7f}", "\u{85}", "a\u{9f}"] {
            assert_eq!(Tag::parse(control), Err(TagError::Control), "{control:?}");
        }
        for outer in [" ", "a ", "\u{a0}a", "a\u{2003}", "\u{3000}a", "a\u{2028}"] {
            assert_eq!(Tag::parse(outer), Err(TagError::OuterSpace), "{outer:?}");
        }
    }

    #[test]
    fn first_spelling_and_order_are_kept() {
        let cases: &[(&[&str], &[&str])] = &[
            (&["b", "A", "a", "B", "c"], &["b", "A", "c"]),
            (
                &["Straße", "STRASSE", "strasse", "Strase"],
                &["Straße", "Strase"],
            ),
            (&["cafe\u{301}", "CAFÉ", "cafe"], &["cafe\u{301}", "cafe"]),
            (&["ΟΔΟΣ", "οδος", "οδοσ"], &["ΟΔΟΣ"]),
            (&["İstanbul", "istanbul", "ISTANBUL"], &["İstanbul"]),
            (&["МОЛОКО", "молоко"], &["МОЛОКО"]),
            (&["\u{212a}", "k"], &["\u{212a}"]),
            (&["❤", "❤\u{fe0f}"], &["❤", "❤\u{fe0f}"]),
            (&["a b", "a  b", "ab"], &["a b", "a  b", "ab"]),
            (&[], &[]),
        ];
        for (given, kept) in cases {
            assert_eq!(texts(&Tags::parse(*given).unwrap()), *kept);
        }
    }

    #[test]
    fn first_wrong_tag_is_named() {
        let error = Tags::parse(["a", "A", " b", ""]).unwrap_err();
        let rule = TagError::OuterSpace;
        assert_eq!(error, TagsError::Tag { index: 2, rule });
        assert_eq!(
            error.to_string(),
            "Task tag must not begin or end with white space (tags[2])"
        );
    }

    #[test]
    fn different_tags_are_counted() {
        let mut given: Vec<_> = (0..20).map(|number| format!("tag {number}")).collect();
        given.extend(given.clone().iter().map(|tag| tag.to_uppercase()));
        let tags = Tags::parse(&given).unwrap();
        assert_eq!(tags.len(), 20);
        assert_eq!(texts(&tags), given[..20]);

        given.push("tag 20".into());
        let error = Tags::parse(&given).unwrap_err();
        assert_eq!(error, TagsError::TooMany);
        assert_eq!(error.to_string(), "Task must not have more than 20 tags");
    }

    #[test]
    fn endless_list_of_one_tag_is_refused() {
        assert_eq!(
            Tags::parse(std::iter::repeat_n("a", 1000)),
            Tags::parse(["a"])
        );
        let error = Tags::parse(std::iter::repeat("a")).unwrap_err();
        assert_eq!(error, TagsError::TooManyGiven);
        assert_eq!(
            error.to_string(),
            "Task must not be given more than 1000 tags, repeated ones included"
        );
    }

    #[test]
    fn tags_are_found_by_key() {
        let tags = Tags::parse(["Straße", "Büro"]).unwrap();
        for (raw, found) in [("STRASSE", true), ("bu\u{308}ro", true), ("buro", false)] {
            assert_eq!(
                tags.contains(&Tag::parse(raw).unwrap().key()),
                found,
                "{raw}"
            );
        }
        assert!(!tags.contains("Büro"));
        assert!(!Tags::default().contains(""));
    }

    proptest! {
        #[test]
        fn valid_tags_obey_the_rules(raw in "[ ,\t\u{85}\u{a0}a牛]{0,4}|\\PC{40,60}") {
            let chars: Vec<char> = raw.chars().collect();
            let is_valid = (1..=50).contains(&chars.len())
                && !chars.iter().any(|&char| char == ',' || char.is_control())
                && !chars[0].is_whitespace()
                && !chars[chars.len() - 1].is_whitespace();
            prop_assert_eq!(Tag::parse(raw.as_str()).is_ok(), is_valid);
        }

        #[test]
        fn every_given_tag_is_contained_once(given in vec("[aAäÄbBsSßςΣı]{1,2}", 0..60)) {
            let keys: BTreeSet<_> = given.iter().map(|raw| fold(raw)).collect();
            match Tags::parse(&given) {
                Ok(tags) => {
                    prop_assert_eq!(tags.len(), keys.len());
                    prop_assert!(keys.iter().all(|key| tags.contains(key)));
                    // Each is the first of its spellings, and they are in the order of these.
                    let places = tags.iter().map(|tag| {
                        given.iter().position(|raw| fold(raw) == tag.key() && raw == tag.as_str())
                    });
                    let firsts = tags.iter().map(|tag| {
                        given.iter().position(|raw| fold(raw) == tag.key())
                    });
                    prop_assert!(places.clone().eq(firsts));
                    prop_assert!(places.is_sorted());
                    prop_assert_eq!(Tags::parse(&tags), Ok(tags));
                }
                Err(error) => {
                    prop_assert_eq!(error, TagsError::TooMany);
                    prop_assert!(keys.len() > 20);
                }
            }
        }
    }
}
