//! The header `Change-Seq`: the number of a write in the change log, and of the write that a read must see.

use actix_web::http::Method;
use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, HttpResponseBuilder};
use taskhold_application::freshness::Freshness;
use taskhold_application::tasks::ChangeSeq;

use crate::idempotency::IDEMPOTENT_REPLAYED;
use crate::problem::Problem;

/// The header.
pub static CHANGE_SEQ: HeaderName = HeaderName::from_static("change-seq");

/// Returns how fresh the data must be that a request reads. What a write reads first must be the latest state.
///
/// # Errors
/// A problem if the header is malformed or given twice.
pub(crate) fn freshness(request: &HttpRequest) -> Result<Freshness, Problem> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return Ok(Freshness::Latest);
    }
    let mut headers = request.headers().get_all(&CHANGE_SEQ);
    let (header, another) = (headers.next(), headers.next());
    let Some(header) = header else {
        return Ok(Freshness::AtLeast(ChangeSeq::ZERO));
    };
    let text = header.to_str().ok();
    // A sign is no digit.
    let text = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let seq = text.and_then(|text| ChangeSeq::parse(text.parse().ok()?).ok());
    match (seq, another) {
        (Some(seq), None) => Ok(Freshness::AtLeast(seq)),
        _ => Err(Problem::malformed(
            "The header Change-Seq must be given once, with the number of a change.",
        )),
    }
}

/// Adds the number of a write to its response, and whether it was made for an earlier request with the same key.
pub(crate) fn mark_written(
    response: &mut HttpResponseBuilder,
    seq: Option<ChangeSeq>,
    replayed: bool,
) {
    if let Some(seq) = seq {
        response.insert_header((CHANGE_SEQ.clone(), seq.get()));
    }
    if replayed {
        response.insert_header((IDEMPOTENT_REPLAYED.clone(), "true"));
    }
    count_appended(seq, replayed);
}

/// Counts a write in the metrics, unless it was made for an earlier request.
pub fn count_appended(seq: Option<ChangeSeq>, replayed: bool) {
    if seq.is_some() && !replayed {
        metrics::counter!("taskhold_changes_appended_total").increment(1);
    }
}
