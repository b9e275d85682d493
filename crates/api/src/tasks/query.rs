//! The query parameters of a list of tasks.

use std::collections::BTreeSet;

use serde_json::json;
use taskhold_application::tasks::{Position, Sort, SortKey, Start, TaskQuery};
use taskhold_domain::task::{Priority, Tag, TagError, Tags};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use url::form_urlencoded;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ArrayBuilder, ObjectBuilder};

use super::{COLLECTION, cursor, due};
use crate::parameters::{self, bad_value, not_one_of};
use crate::problem::Problem;
use crate::schema::{MAX_EXACT_INTEGER, WITHOUT_NUL, integer, one_of, query_parameter};

/// The number of tasks on the longest page.
pub(crate) const MAX_LIMIT: u32 = 1000;

/// The parameters that are given once at most. `tag` can be given several times.
const PARAMETERS: [&str; 11] = [
    "limit",
    "cursor",
    "offset",
    "completed",
    "q",
    "priority",
    due::DUE,
    due::FROM,
    due::TO,
    due::TIMEZONE,
    "sort",
];

/// The orders by their names. A minus before a name reverses the order.
const SORTS: [(&str, SortKey); 7] = [
    ("created_at", SortKey::CreatedAt),
    ("updated_at", SortKey::UpdatedAt),
    ("title", SortKey::Title),
    ("priority", SortKey::Priority),
    ("completed_at", SortKey::CompletedAt),
    ("due", SortKey::Due),
    ("position", SortKey::Position),
];

/// The pattern of a list of priorities.
const PRIORITIES: &str = "^(none|low|medium|high)(,(none|low|medium|high))*$";

/// The query parameters of a list, for its OpenAPI description.
pub(super) struct ListParameters;

impl IntoParams for ListParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let of_type = |schema_type| ObjectBuilder::new().schema_type(schema_type);
        let sorts = SORTS
            .iter()
            .flat_map(|(name, _)| [(*name).to_owned(), format!("-{name}")]);
        // Without names, generators number the orders that begin with a minus.
        let names = SORTS
            .iter()
            .flat_map(|(name, _)| [(*name).to_owned(), format!("{name}_descending")]);
        let names = [("x-enum-varnames", json!(names.collect::<Vec<_>>()))]
            .into_iter()
            .collect();
        let parameters = [
            (
                "completed",
                of_type(Type::Boolean),
                "Only tasks that are done (`true`) or that are not (`false`).",
            ),
            (
                "q",
                of_type(Type::String).pattern(Some(WITHOUT_NUL)),
                "Only tasks with this text in title or description, without regard to case or to how accents are \
                 encoded; `%` and `_` mean themselves.",
            ),
            (
                "priority",
                of_type(Type::String).pattern(Some(PRIORITIES)),
                "Only tasks of one of these priorities, separated by commas: `none`, `low`, `medium` and `high`.",
            ),
            (
                "sort",
                one_of(sorts).extensions(Some(names)),
                "The order; a minus reverses it, and left out it is `-created_at`. Titles and positions are compared \
                 code point by code point, and due dates by day: on one day dates come before times. Tasks without a \
                 due date, or a time of completion, come last either way, and ties are broken by id.",
            ),
            (
                "limit",
                integer(1, MAX_LIMIT.into()),
                "The number of tasks on a page; left out, the answer has all tasks.",
            ),
            (
                "cursor",
                of_type(Type::String),
                "The page after the one that gave this `next_cursor`; with `limit`, and the same `sort` and filters.",
            ),
            (
                "offset",
                integer(0, MAX_EXACT_INTEGER),
                "The number of tasks to skip; with `limit`, and not with `cursor`.",
            ),
        ];
        let tag = of_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(Tag::MAX_CHARS));
        let tags = ArrayBuilder::new()
            .items(tag)
            .max_items(Some(Tags::MAX_COUNT));
        let tags = query_parameter(
            "tag",
            tags,
            "Only tasks with this tag, without regard to case. Given several times, only tasks with all of them.",
        );
        parameters
            .into_iter()
            .map(|(name, schema, text)| query_parameter(name, schema, text))
            .chain([tags])
            .chain(due::parameters())
            .collect()
    }
}

/// Parses the query parameters of a list. Its first page is requested at `now`.
pub(super) fn parse(
    query_string: &str,
    owner: &UserId,
    now: Timestamp,
) -> Result<TaskQuery, Problem> {
    let mut given = parameters::read(query_string, &PARAMETERS)?;
    let mut query = TaskQuery {
        completed: match given.remove("completed").as_deref() {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(other) => return Err(not_one_of("completed", other, &["true", "false"])),
        },
        text: given.remove("q"),
        priorities: given
            .remove("priority")
            .map_or(Ok(Vec::new()), |names| parse_priorities(&names))?,
        tag_keys: parse_tags(&parameters::values(query_string, "tag"))?,
        due: due::take_filter(&mut given, now)?,
        zone: due::take_zone(&mut given)?,
        sort: given
            .remove("sort")
            .map_or(Ok(Sort::default()), |sort| parse_sort(&sort))?,
        start: Start::First,
        limit: match given.remove("limit").map(|limit| limit.parse::<u32>()) {
            None => None,
            Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => Some(limit),
            Some(_) => {
                return Err(bad_value(
                    "limit",
                    &format!("a whole number from 1 to {MAX_LIMIT}"),
                ));
            }
        },
    };
    if query.text.as_ref().is_some_and(|text| text.contains('\0')) {
        return Err(bad_value("q", "text without NUL characters"));
    }
    query.start = match (given.remove("cursor"), given.remove("offset")) {
        (None, None) => Start::First,
        (Some(_), Some(_)) => {
            return Err(Problem::malformed("cursor and offset exclude each other."));
        }
        _ if query.limit.is_none() => {
            return Err(Problem::malformed("cursor and offset go with a limit."));
        }
        (Some(cursor), None) => Start::After(parse_cursor(&cursor, owner, &mut query)?),
        (None, Some(offset)) => Start::Offset(parse_offset(&offset)?),
    };
    Ok(query)
}

fn parse_cursor(cursor: &str, owner: &UserId, query: &mut TaskQuery) -> Result<Position, Problem> {
    cursor::decode(cursor, owner, query).map_err(|error| Problem::malformed(error.to_string()))
}

fn parse_sort(raw: &str) -> Result<Sort, Problem> {
    let (descending, name) = match raw.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, raw),
    };
    let known = SORTS.iter().find(|(known, _)| *known == name);
    let (_, key) = known.ok_or_else(|| not_one_of("sort", name, &SORTS.map(|(name, _)| name)))?;
    Ok(Sort {
        key: *key,
        descending,
    })
}

/// Parses a list of priorities. Its order does not matter.
fn parse_priorities(names: &str) -> Result<Vec<Priority>, Problem> {
    let names = names.split(',').map(|name| {
        let known = Priority::ALL.map(Priority::as_str);
        Priority::parse(name).map_err(|_| not_one_of("priority", name, &known))
    });
    let priorities: BTreeSet<_> = names.collect::<Result<_, _>>()?;
    Ok(priorities.into_iter().collect())
}

/// Returns the keys of the tags that a task must have. Their order does not matter.
fn parse_tags(tags: &[String]) -> Result<Vec<String>, Problem> {
    let keys = tags.iter().map(|tag| Ok(Tag::parse(tag.as_str())?.key()));
    let keys: Result<BTreeSet<_>, TagError> = keys.collect();
    let keys = keys.map_err(|error| {
        Problem::malformed(format!("The query parameter tag is no tag: {error}."))
    })?;
    if keys.len() > Tags::MAX_COUNT {
        let most = Tags::MAX_COUNT;
        return Err(Problem::malformed(format!(
            "A list is filtered by {most} tags at most."
        )));
    }
    Ok(keys.into_iter().collect())
}

/// Parses an offset. One above [`u32::MAX`] is lowered to it: both are past the last task.
fn parse_offset(raw: &str) -> Result<u32, Problem> {
    match raw.parse::<u64>() {
        Ok(offset) if offset <= MAX_EXACT_INTEGER => Ok(u32::try_from(offset).unwrap_or(u32::MAX)),
        _ => Err(bad_value(
            "offset",
            &format!("a whole number from 0 to {MAX_EXACT_INTEGER}"),
        )),
    }
}

/// Returns the path and query of the next page of the same list.
pub(super) fn next_page(query: &TaskQuery, cursor: &str) -> String {
    let mut parameters = form_urlencoded::Serializer::new(String::new());
    if let Some(limit) = query.limit {
        parameters.append_pair("limit", &limit.to_string());
    }
    if let Some(completed) = query.completed {
        parameters.append_pair("completed", if completed { "true" } else { "false" });
    }
    if let Some(text) = &query.text {
        parameters.append_pair("q", text);
    }
    if !query.priorities.is_empty() {
        let names = query.priorities.iter().map(|priority| priority.as_str());
        parameters.append_pair("priority", &names.collect::<Vec<_>>().join(","));
    }
    for key in &query.tag_keys {
        parameters.append_pair("tag", key);
    }
    due::append(query, &mut parameters);
    if query.sort != Sort::default() {
        let name = SORTS
            .iter()
            .find(|(_, key)| *key == query.sort.key)
            .map_or("", |(name, _)| name);
        let minus = if query.sort.descending { "-" } else { "" };
        parameters.append_pair("sort", &format!("{minus}{name}"));
    }
    parameters.append_pair("cursor", cursor);
    format!("{COLLECTION}?{}", parameters.finish())
}
