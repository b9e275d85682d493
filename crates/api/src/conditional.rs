//! Entity tags and conditional requests (RFC 9110, sections 8.8.3 and 13.1).

use actix_web::http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use taskhold_application::tasks::Precondition;
use taskhold_domain::task::{Task, Version};

use crate::problem::Problem;

/// Returns the strong entity tag of a task, which is its version in quotes.
pub(crate) fn etag(task: &Task) -> String {
    format!("\"{}\"", task.version.get())
}

/// Returns the precondition that `If-Match` sets. A tag that the service never sent, or a weak one,
/// matches nothing.
///
/// # Errors
/// A problem if the header is malformed.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Precondition, Problem> {
    Ok(match tags(headers, &IF_MATCH)? {
        None | Some(Tags::Any) => Precondition::None,
        Some(Tags::Listed(tags)) => {
            let strong = tags.iter().filter(|tag| !tag.weak);
            Precondition::VersionIn(strong.filter_map(Tag::version).collect())
        }
    })
}

/// Returns `true` if the client has this version already, according to `If-None-Match`.
///
/// # Errors
/// A problem if the header is malformed.
pub(crate) fn is_known(headers: &HeaderMap, version: Version) -> Result<bool, Problem> {
    Ok(match tags(headers, &IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::Listed(tags)) => tags.iter().any(|tag| tag.version() == Some(version)),
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
    /// Returns the version that the tag names, if it is written as [`etag`] writes it.
    fn version(&self) -> Option<Version> {
        let text = std::str::from_utf8(self.opaque).ok()?;
        let version = Version::parse(text.parse().ok()?).ok()?;
        (version.get().to_string() == text).then_some(version)
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

    fn versions(numbers: &[i64]) -> Precondition {
        Precondition::VersionIn(
            numbers
                .iter()
                .map(|number| Version::parse(*number).unwrap())
                .collect(),
        )
    }

    #[test]
    fn if_match_lists_strong_tags_or_any() {
        for (values, expected) in [
            (&[][..], Precondition::None),
            (&["*"], Precondition::None),
            (&["\"1\""], versions(&[1])),
            (&["\"1\", \"2\"", " ,\"30\" , "], versions(&[1, 2, 30])),
            (&["W/\"1\""], versions(&[])),
            (&["W/\"1\",\"2\""], versions(&[2])),
            (&["\"other,tag\""], versions(&[])),
            (
                &["\"01\"", "\"+1\"", "\"0\"", "\"-1\"", "\"\""],
                versions(&[]),
            ),
            (&["\"99999999999999999999\""], versions(&[])),
        ] {
            assert_eq!(
                if_match(&headers(&IF_MATCH, values)).unwrap(),
                expected,
                "{values:?}"
            );
        }
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
            assert!(if_match(&headers(&IF_MATCH, &[value])).is_err(), "{value}");
            let known = is_known(&headers(&IF_NONE_MATCH, &[value]), Version::FIRST);
            assert!(known.is_err(), "{value}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        for (value, known) in [
            ("\"1\"", true),
            ("W/\"1\"", true),
            ("*", true),
            ("\"2\"", false),
            ("\"2\", \"1\"", true),
        ] {
            assert_eq!(
                is_known(&headers(&IF_NONE_MATCH, &[value]), Version::FIRST).unwrap(),
                known,
                "{value}"
            );
        }
    }
}
