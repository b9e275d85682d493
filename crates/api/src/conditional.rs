//! Entity tags and conditional requests (RFC 9110, sections 8.8.3 and 13.1).

use std::fmt;

use actix_web::http::header::{
    HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, InvalidHeaderValue,
    TryIntoHeaderValue,
};
use actix_web::{HttpRequest, web};
use serde::Serializer as _;
use taskhold_application::tasks::Precondition;
use taskhold_domain::task::{Revision, Task, Version};
use taskhold_domain::timestamp::Timestamp;

use crate::json::WriteJson;
use crate::problem::Problem;

/// The strong entity tag of a revision of a task: its version, and the microseconds of its last change in
/// hexadecimal digits. It is displayed with the quotes of the header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ETag(Revision);

impl ETag {
    /// Returns the tag of a task.
    pub(crate) fn of(task: &Task) -> Self {
        Self(task.revision())
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Revision {
            version,
            updated_at,
        } = self.0;
        write!(f, "\"{}-{:x}\"", version.get(), updated_at.as_micros())
    }
}

impl TryIntoHeaderValue for ETag {
    type Error = InvalidHeaderValue;

    fn try_into_value(self) -> Result<HeaderValue, InvalidHeaderValue> {
        self.to_string().try_into()
    }
}

impl WriteJson for ETag {
    fn write_json(&self, document: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::Serializer::new(document).collect_str(self)
    }
}

/// The setting `server.accept_weak_etags`: `true` if a weak tag in `If-Match` matches like a strong one.
pub(crate) struct AcceptWeakETags(pub(crate) bool);

/// Returns the precondition that `If-Match` sets. A tag that the service never sent matches nothing, and
/// neither does a weak one unless weak tags are [accepted](AcceptWeakETags).
///
/// # Errors
/// A problem if the header is malformed.
pub(crate) fn if_match(request: &HttpRequest) -> Result<Precondition, Problem> {
    let setting = request.app_data::<web::Data<AcceptWeakETags>>();
    let accepts_weak = setting.is_some_and(|setting| setting.0);
    precondition(request.headers(), accepts_weak)
}

fn precondition(headers: &HeaderMap, accepts_weak: bool) -> Result<Precondition, Problem> {
    Ok(match tags(headers, &IF_MATCH)? {
        None | Some(Tags::Any) => Precondition::None,
        Some(Tags::Listed(tags)) => {
            let matching = tags.iter().filter(|tag| accepts_weak || !tag.weak);
            Precondition::RevisionIn(matching.filter_map(Tag::revision).collect())
        }
    })
}

/// Returns `true` if the client has this revision already, according to `If-None-Match`.
///
/// # Errors
/// A problem if the header is malformed.
pub(crate) fn is_known(headers: &HeaderMap, revision: Revision) -> Result<bool, Problem> {
    Ok(match tags(headers, &IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::Listed(tags)) => tags.iter().any(|tag| tag.revision() == Some(revision)),
    })
}

enum Tags<'a> {
    Any,
    Listed(Vec<Tag<'a>>),
}

struct Tag<'a> {
    weak: bool,
    opaque: &'a [u8],
}

impl Tag<'_> {
    /// Returns the revision that the tag names, if it is written as [`ETag`] writes it.
    fn revision(&self) -> Option<Revision> {
        let text = std::str::from_utf8(self.opaque).ok()?;
        let (version, updated_at) = text.split_once('-')?;
        let updated_at = u64::from_str_radix(updated_at, 16).ok()?;
        let revision = Revision {
            version: Version::parse(version.parse().ok()?).ok()?,
            updated_at: Timestamp::from_micros(updated_at.cast_signed()).ok()?,
        };
        // Leading zeros and signs name nothing.
        (ETag(revision).to_string().trim_matches('"') == text).then_some(revision)
    }
}

fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<Tags<'a>>, Problem> {
    let mut listed = None;
    for value in headers.get_all(name) {
        if value.as_bytes().trim_ascii() == b"*" && headers.get_all(name).count() == 1 {
            return Ok(Some(Tags::Any));
        }
        let malformed = || {
            Problem::malformed(format!(
                "The header {name} must be * or a list of entity tags."
            ))
        };
        listed
            .get_or_insert_with(Vec::new)
            .extend(list(value.as_bytes()).ok_or_else(malformed)?);
    }
    Ok(listed.map(Tags::Listed))
}

/// Parses `#entity-tag`, and skips empty elements (RFC 9110, section 5.6.1).
fn list(mut rest: &[u8]) -> Option<Vec<Tag<'_>>> {
    let mut tags = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        if let [b',', after @ ..] = rest {
            rest = after;
            continue;
        }
        if rest.is_empty() {
            return (!tags.is_empty()).then_some(tags);
        }
        let weak = rest.starts_with(b"W/");
        let quoted = rest
            .strip_prefix(b"W/")
            .unwrap_or(rest)
            .strip_prefix(b"\"")?;
        let end = quoted.iter().position(|byte| *byte == b'"')?;
        let (opaque, after) = quoted.split_at_checked(end)?;
        if opaque.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
            return None;
        }
        tags.push(Tag { weak, opaque });
        rest = after.strip_prefix(b"\"")?.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    const UPDATED_AT: i64 = 0x6_2f4a_9c0d_e1b2;

    fn revision(version: i64) -> Revision {
        Revision {
            version: Version::parse(version).unwrap(),
            updated_at: Timestamp::from_micros(UPDATED_AT).unwrap(),
        }
    }

    fn revisions(versions: &[i64]) -> Precondition {
        Precondition::RevisionIn(versions.iter().map(|version| revision(*version)).collect())
    }

    #[test]
    fn tag_is_the_same_in_headers_and_in_json() {
        let tag = ETag(revision(3));
        assert_eq!(tag.to_string(), "\"3-62f4a9c0de1b2\"");
        let mut json = Vec::new();
        tag.write_json(&mut json).unwrap();
        assert_eq!(
            serde_json::from_slice::<String>(&json).unwrap(),
            tag.to_string()
        );
    }

    #[test]
    fn displayed_tags_are_parsed() {
        for micros in [
            i64::from(i32::MIN),
            -1,
            0,
            1,
            UPDATED_AT,
            Timestamp::LAST.as_micros(),
        ] {
            let revision = Revision {
                updated_at: Timestamp::from_micros(micros).unwrap(),
                ..revision(1)
            };
            let text = ETag(revision).to_string();
            let opaque = text.trim_matches('"').as_bytes();
            let tag = Tag {
                weak: false,
                opaque,
            };
            assert_eq!(tag.revision(), Some(revision), "{text}");
        }
    }

    #[test]
    fn if_match_lists_strong_tags_or_any() {
        for (values, expected) in [
            (&[][..], Precondition::None),
            (&["*"], Precondition::None),
            (&["\"1-62f4a9c0de1b2\""], revisions(&[1])),
            (
                &[
                    "\"1-62f4a9c0de1b2\", \"2-62f4a9c0de1b2\"",
                    " ,\"30-62f4a9c0de1b2\" , ",
                ],
                revisions(&[1, 2, 30]),
            ),
            (&["W/\"1-62f4a9c0de1b2\""], revisions(&[])),
            (
                &["W/\"1-62f4a9c0de1b2\",\"2-62f4a9c0de1b2\""],
                revisions(&[2]),
            ),
            (&["\"other,tag\""], revisions(&[])),
            // A tag of the earlier form, which had no time.
            (&["\"1\""], revisions(&[])),
            (
                &[
                    "\"01-62f4a9c0de1b2\"",
                    "\"+1-62f4a9c0de1b2\"",
                    "\"0-62f4a9c0de1b2\"",
                    "\"-1-62f4a9c0de1b2\"",
                    "\"1-062f4a9c0de1b2\"",
                    "\"1-62F4A9C0DE1B2\"",
                    "\"1-\"",
                    "\"-\"",
                    "\"\"",
                ],
                revisions(&[]),
            ),
            (
                &["\"99999999999999999999-1\"", "\"1-fffffffffffffffff\""],
                revisions(&[]),
            ),
        ] {
            assert_eq!(
                precondition(&headers(&IF_MATCH, values), false).unwrap(),
                expected,
                "{values:?}"
            );
        }
    }

    #[test]
    fn weak_tags_match_if_they_are_accepted() {
        let weak = headers(
            &IF_MATCH,
            &["W/\"1-62f4a9c0de1b2\", \"2-62f4a9c0de1b2\", W/\"3\""],
        );
        assert_eq!(precondition(&weak, true).unwrap(), revisions(&[1, 2]));
        assert_eq!(precondition(&weak, false).unwrap(), revisions(&[2]));
    }

    #[test]
    fn malformed_lists_are_rejected() {
        for value in [
            "",
            ",",
            "1",
            "\"1",
            "1\"",
            "\"1\" \"2\"",
            "\"1\"2",
            "w/\"1\"",
            "*, \"1\"",
            "\"1\", *",
            "'1'",
            "\"a b\"",
        ] {
            assert!(
                precondition(&headers(&IF_MATCH, &[value]), true).is_err(),
                "{value}"
            );
            let known = is_known(&headers(&IF_NONE_MATCH, &[value]), revision(1));
            assert!(known.is_err(), "{value}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        for (value, known) in [
            ("\"1-62f4a9c0de1b2\"", true),
            ("W/\"1-62f4a9c0de1b2\"", true),
            ("*", true),
            ("\"1-62f4a9c0de1b3\"", false),
            ("\"2-62f4a9c0de1b2\"", false),
            ("\"2-62f4a9c0de1b2\", \"1-62f4a9c0de1b2\"", true),
            ("\"1\"", false),
        ] {
            assert_eq!(
                is_known(&headers(&IF_NONE_MATCH, &[value]), revision(1)).unwrap(),
                known,
                "{value}"
            );
        }
    }
}
