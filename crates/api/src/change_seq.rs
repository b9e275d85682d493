//! The header `Change-Seq`: the number of a write in the change log.

use actix_web::HttpResponseBuilder;
use actix_web::http::header::HeaderName;
use taskhold_application::tasks::ChangeSeq;

use crate::idempotency::IDEMPOTENT_REPLAYED;

/// The header.
pub static CHANGE_SEQ: HeaderName = HeaderName::from_static("change-seq");

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
