//! The query parameters about due dates.

use std::collections::HashMap;

use actix_web::HttpRequest;
use taskhold_application::tasks::{DueFilter, TaskQuery};
use taskhold_domain::task::{Due, DueError};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::zone::{Date, Zone, ZoneError};
use url::form_urlencoded::Serializer;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat};

use crate::parameters::{self, bad_value, not_one_of};
use crate::problem::Problem;
use crate::schema::{one_of, query_parameter, zone_name};

pub(super) const FROM: &str = "due_from";
pub(super) const TO: &str = "due_to";
pub(super) const DUE: &str = "due";
pub(super) const TIMEZONE: &str = "timezone";

const DUES: [&str; 4] = ["overdue", "today", "none", "any"];

/// The parameter `timezone`, for its OpenAPI description.
pub(super) struct TimezoneParameter;

impl IntoParams for TimezoneParameter {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = "The time zone that decides which day today is, and on which day a time is: its name in the IANA \
                    database, such as `Europe/Berlin`. Left out it is `UTC`.";
        vec![query_parameter(TIMEZONE, zone_name(), text)]
    }
}

/// Returns the descriptions of all parameters about due dates.
pub(super) fn parameters() -> impl Iterator<Item = Parameter> {
    let date = || {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))
    };
    let parameters = [
        (
            DUE,
            one_of(DUES),
            "`overdue`: only open tasks that were due before today, or at a time that is past. `today`: only tasks \
             that are due today, done or not. `none`: only tasks without a due date. `any`: only tasks with one.",
        ),
        (
            FROM,
            date(),
            "Only tasks that are due on this day or later.",
        ),
        (
            TO,
            date(),
            "Only tasks that are due on this day or earlier.",
        ),
    ];
    parameters
        .into_iter()
        .map(|(name, schema, text)| query_parameter(name, schema, text))
        .chain(TimezoneParameter::into_params(|| None))
}

/// Returns the time zone of a request whose only parameter it is.
pub(super) fn zone(request: &HttpRequest) -> Result<Zone, Problem> {
    take_zone(&mut parameters::read(request.query_string(), &[TIMEZONE])?)
}

/// Takes the time zone out of the parameters; UTC if none is given.
pub(super) fn take_zone(given: &mut HashMap<&'static str, String>) -> Result<Zone, Problem> {
    let name = given.remove(TIMEZONE);
    name.map_or(Ok(Zone::UTC), |name| zone_named(&name))
}

/// Returns the time zone with this name.
///
/// # Errors
/// A problem if there is none.
pub fn zone_named(name: &str) -> Result<Zone, Problem> {
    Zone::parse(name).map_err(|error| {
        let hint = match error {
            ZoneError::LetterCase { written, .. } => format!(" (did you mean `{written}`?)"),
            ZoneError::Unknown(_) => String::new(),
        };
        bad_value(
            TIMEZONE,
            &format!("a name of the IANA database, such as Europe/Berlin{hint}"),
        )
    })
}

/// Takes the filters of due dates out of the parameters.
pub(super) fn take_filter(
    given: &mut HashMap<&'static str, String>,
    now: Timestamp,
) -> Result<Vec<DueFilter>, Problem> {
    let first = take_date(given, FROM)?;
    let last = take_date(given, TO)?;
    let due = match given.remove(DUE).as_deref() {
        None => None,
        Some("overdue") => Some(DueFilter::Overdue(now)),
        Some("today") => Some(DueFilter::Today(now)),
        Some("none") => Some(DueFilter::None),
        Some("any") => Some(DueFilter::Any),
        Some(other) => return Err(not_one_of(DUE, other, &DUES)),
    };
    let is_bounded = first.is_some() || last.is_some();
    let days = is_bounded.then_some(DueFilter::Days(first, last));
    Ok(due.into_iter().chain(days).collect())
}

fn take_date(
    given: &mut HashMap<&'static str, String>,
    name: &'static str,
) -> Result<Option<Date>, Problem> {
    let Some(raw) = given.remove(name) else {
        return Ok(None);
    };
    match Due::parse(&raw) {
        Ok(Due::Date(date)) => Ok(Some(date)),
        Err(DueError::NoSuchDate(date)) => Err(bad_value(
            name,
            &format!("a date that exists: there is no {date}"),
        )),
        _ => Err(bad_value(
            name,
            "a date such as 2026-12-01, from 0001-01-01 to 9999-12-31",
        )),
    }
}

/// Appends the parameters of a list to those of its next page.
pub(super) fn append(query: &TaskQuery, parameters: &mut Serializer<'_, String>) {
    for due in &query.due {
        let name = match due {
            DueFilter::Overdue(_) => "overdue",
            DueFilter::Today(_) => "today",
            DueFilter::None => "none",
            DueFilter::Any => "any",
            DueFilter::Days(first, last) => {
                for (name, day) in [(FROM, first), (TO, last)] {
                    if let Some(day) = day {
                        parameters.append_pair(name, &day.to_string());
                    }
                }
                continue;
            }
        };
        parameters.append_pair(DUE, name);
    }
    if query.zone != Zone::UTC {
        parameters.append_pair(TIMEZONE, query.zone.name());
    }
}
