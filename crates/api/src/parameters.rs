//! Query parameters. An endpoint knows those that its description lists; a request with others is refused,
//! unless it prefers to have them ignored.

use std::collections::HashMap;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest};
use taskhold_domain::task::TaskId;
use url::form_urlencoded;
use utoipa::openapi::path::{Operation, ParameterIn};

use crate::header_values::{parameter, split};
use crate::problem::Problem;

static PREFER: HeaderName = HeaderName::from_static("prefer");

/// The header that names the preferences of a request that were followed (RFC 7240).
pub(crate) static PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The number of unknown parameters that a problem names at most.
const MAX_NAMED: usize = 5;
/// The length at which a problem cuts the name of an unknown parameter.
const MAX_NAME_CHARS: usize = 50;

/// The similarity (Jaro) above which a known name is suggested for an unknown one; the same as clap's for arguments.
const MIN_SIMILARITY: f64 = 0.7;

/// The query parameters of the endpoints of a path.
pub(crate) struct KnownParameters(pub(crate) Vec<EndpointParameters>);

/// The query parameters of an endpoint.
pub(crate) struct EndpointParameters {
    pub(crate) method: Method,
    /// `true` if the endpoint needs no token. Other endpoints check the token before the parameters.
    pub(crate) is_public: bool,
    pub(crate) names: Vec<String>,
}

/// Returns the names of the query parameters that an operation describes.
pub(crate) fn names_of(operation: Operation) -> Vec<String> {
    let parameters = operation.parameters.into_iter().flatten();
    let parameters = parameters.filter_map(|parameter| match parameter {
        utoipa::openapi::RefOr::T(parameter) => Some(parameter),
        utoipa::openapi::RefOr::Ref(_) => None,
    });
    parameters
        .filter(|parameter| parameter.parameter_in == ParameterIn::Query)
        .map(|parameter| parameter.name)
        .collect()
}

/// Refuses unknown parameters of public endpoints, and confirms the preference to ignore them.
pub(crate) async fn handle(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let known = known(request.request());
    let is_lenient = known.is_some() && prefers_lenient(request.headers());
    if known.is_some_and(|known| known.is_public)
        && let Err(problem) = check(request.request())
    {
        return Ok(request.error_response(problem).map_into_right_body());
    }
    let mut response = next.call(request).await?;
    if is_lenient {
        let applied = HeaderValue::from_static("handling=lenient");
        response
            .headers_mut()
            .insert(PREFERENCE_APPLIED.clone(), applied);
    }
    Ok(response.map_into_left_body())
}

/// Refuses a request with parameters that its endpoint does not know.
///
/// # Errors
/// A problem that names the unknown parameters and the known ones.
pub(crate) fn check(request: &HttpRequest) -> Result<(), Problem> {
    let query = request.query_string();
    let Some(EndpointParameters { names, .. }) = known(request) else {
        return Ok(());
    };
    if query.is_empty() || has_malformed_id(request) || prefers_lenient(request.headers()) {
        return Ok(());
    }
    let mut unknown = Vec::new();
    for (given, _) in form_urlencoded::parse(query.as_bytes()) {
        if !names.iter().any(|name| *name == given) && !unknown.contains(&given) {
            unknown.push(given);
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let named = unknown.iter().take(MAX_NAMED).map(|given| {
        let given: String = given.chars().take(MAX_NAME_CHARS).collect();
        let suggestion = did_you_mean(&given, names.iter().map(String::as_str));
        format!("`{given}`{suggestion}")
    });
    let mut named: Vec<_> = named.collect();
    if unknown.len() > MAX_NAMED {
        named.push(format!("{} more", unknown.len() - MAX_NAMED));
    }
    let plural = if unknown.len() == 1 { "" } else { "s" };
    let known = if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    };
    Err(Problem::malformed(format!(
        "Unknown query parameter{plural}: {}. Known here: {known}. With the header `Prefer: handling=lenient`, \
         unknown ones are ignored.",
        named.join(", ")
    )))
}

/// Returns the values of the known parameters. Unknown ones are ignored: [`check`] lets them pass only if the
/// client prefers so.
///
/// # Errors
/// A problem if the query is not UTF-8, or a parameter is given twice.
pub(crate) fn read(
    query_string: &str,
    known: &[&'static str],
) -> Result<HashMap<&'static str, String>, Problem> {
    let decoded = percent_encoding::percent_decode_str(query_string);
    if decoded.decode_utf8().is_err() {
        return Err(Problem::malformed("The query is not UTF-8."));
    }
    let mut parameters = HashMap::new();
    for (name, value) in form_urlencoded::parse(query_string.as_bytes()) {
        let Some(known) = known.iter().find(|known| **known == name) else {
            continue;
        };
        if parameters.insert(*known, value.into_owned()).is_some() {
            return Err(Problem::malformed(format!(
                "The query parameter {known} is given twice."
            )));
        }
    }
    Ok(parameters)
}

/// Returns every value of a parameter that can be given several times. [`read`] checks the query.
pub(crate) fn values(query_string: &str, name: &str) -> Vec<String> {
    form_urlencoded::parse(query_string.as_bytes())
        .filter(|(given, _)| given == name)
        .map(|(_, value)| value.into_owned())
        .collect()
}

/// Returns the problem of a parameter with a value that is not allowed.
pub(crate) fn bad_value(parameter: &str, expected: &str) -> Problem {
    Problem::malformed(format!(
        "The query parameter {parameter} must be {expected}."
    ))
}

/// Returns the problem of a parameter whose value is none of these.
pub(crate) fn not_one_of(parameter: &str, given: &str, known: &[&str]) -> Problem {
    let suggestion = did_you_mean(given, known.iter().copied());
    let known = match known.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    };
    bad_value(parameter, &format!("{known}{suggestion}"))
}

/// Returns a question that names the known word most similar to the given one, or nothing if none is similar.
fn did_you_mean<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    let given: String = given.to_lowercase().chars().take(MAX_NAME_CHARS).collect();
    let similar = known
        .map(|known| (strsim::jaro(&given, known), known))
        .filter(|(similarity, _)| *similarity > MIN_SIMILARITY)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    similar.map_or_else(String::new, |(_, known)| {
        format!(" (did you mean `{known}`?)")
    })
}

/// Returns the parameters of the endpoint that handles a request.
fn known(request: &HttpRequest) -> Option<&EndpointParameters> {
    let method = match *request.method() {
        Method::HEAD => &Method::GET,
        ref method => method,
    };
    let KnownParameters(known) = request.app_data()?;
    known.iter().find(|known| known.method == method)
}

/// Returns `true` if the id in the path is malformed: the handler then answers 404, which takes precedence over
/// unknown parameters.
fn has_malformed_id(request: &HttpRequest) -> bool {
    let ids = ["id", "session", "token"].into_iter();
    let mut ids = ids.filter_map(|name| request.match_info().get(name));
    ids.any(|id| {
        let decoded = percent_encoding::percent_decode_str(id).decode_utf8();
        decoded.map_or(true, |id| TaskId::parse(&id).is_err())
    })
}

/// Returns `true` if a request prefers lenient handling (RFC 7240, section 4.4). Of a preference that is given
/// twice the first one counts.
fn prefers_lenient(headers: &HeaderMap) -> bool {
    let lines = headers
        .get_all(&PREFER)
        .filter_map(|line| line.to_str().ok());
    let preferences = lines.flat_map(|line| split(line, ','));
    let mut handling = preferences.filter_map(|preference| {
        let (name, value) = parameter(split(preference, ';').next()?)?;
        name.eq_ignore_ascii_case("handling").then_some(value)
    });
    handling
        .next()
        .is_some_and(|value| value.eq_ignore_ascii_case("lenient"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_suggested() {
        let known = ["completed", "q", "sort", "limit", "cursor", "offset"];
        for (given, suggested) in [
            ("Completed", Some("completed")),
            ("complete", Some("completed")),
            ("LIMIT", Some("limit")),
            ("limits", Some("limit")),
            ("ofset", Some("offset")),
            ("query", Some("q")),
            ("status", None),
            ("", None),
            ("x", None),
        ] {
            let expected =
                suggested.map_or(String::new(), |name| format!(" (did you mean `{name}`?)"));
            assert_eq!(did_you_mean(given, known.into_iter()), expected, "{given}");
        }
    }

    #[test]
    fn lenient_handling_is_found_among_preferences() {
        for (lines, is_lenient) in [
            (&[][..], false),
            (&["handling=lenient"], true),
            (&["Handling = \"lenient\"; x=y"], true),
            (&["respond-async, wait=5, handling=lenient"], true),
            (&["respond-async", "handling=lenient"], true),
            (&["handling=strict"], false),
            (&["handling=strict, handling=lenient"], false),
            (&["handling"], false),
            (&["lenient"], false),
            (&["x=\"a, handling=lenient\""], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(PREFER.clone(), HeaderValue::from_static(line));
            }
            assert_eq!(prefers_lenient(&headers), is_lenient, "{lines:?}");
        }
    }
}
