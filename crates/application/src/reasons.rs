//! Errors with their causes, as a text.

use std::error::Error;

/// Returns an error with its causes, without the causes that the text before them repeats: drivers name their cause
/// and also hold it.
#[must_use]
pub fn reasons(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}
