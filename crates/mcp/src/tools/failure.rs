//! Failures of tools: results that say what failed, why, and what to do next.

use actix_web::http::header::RETRY_AFTER;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use taskhold_api::middleware::log_cause;
use taskhold_api::problem::{FieldError, Kind, Problem};
use taskhold_application::request;

use super::{Tool, ToolResult};

/// The structured content of a failure.
#[derive(Serialize)]
struct Failure<'a> {
    /// The `error_code` of the problem.
    code: &'static str,
    detail: &'a str,
    /// The number of seconds to wait before the call is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'a [FieldError]>,
    /// The task as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a RawValue>,
}

/// Returns the result of a call that failed, and logs the cause.
///
/// # Errors
/// None that is known: a problem can always be written as JSON.
pub(super) fn result(tool: Tool, problem: &Problem) -> Result<ToolResult, Problem> {
    let request_id = request::current_id();
    log_cause(problem, request_id.as_deref().unwrap_or_default());
    let retry_after = problem.header(&RETRY_AFTER);
    let failure = Failure {
        code: problem.kind().code(),
        detail: problem.detail(),
        retry_after: retry_after.and_then(|seconds| seconds.parse().ok()),
        errors: problem.errors(),
        task: problem.task(),
    };
    let text = format!(
        "{} failed: {} {}",
        tool.name(),
        sentence(problem.detail()),
        next_step(tool, problem, failure.retry_after)
    );
    let failure = to_raw_value(&failure).map_err(Problem::internal)?;
    Ok(ToolResult::new(text, failure, true))
}

/// Returns a detail as a sentence, which messages of rules are not.
fn sentence(detail: &str) -> String {
    let end = if detail.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{detail}{end}")
}

fn next_step(tool: Tool, problem: &Problem, retry_after: Option<u64>) -> String {
    let is_of_key = |error: &FieldError| error.field() == "Idempotency-Key";
    if problem
        .errors()
        .is_some_and(|errors| errors.iter().any(is_of_key))
    {
        return "Take another `key` for other arguments.".to_owned();
    }
    if let Some(seconds) = retry_after {
        let same = if tool.writes() {
            "the same arguments, `key` included"
        } else {
            "the same arguments"
        };
        return format!("Wait {seconds} s and repeat the call with {same}.");
    }
    let step = match problem.kind() {
        Kind::NotFound if tool == Tool::Undo => "Take `seq` from the result of a write.",
        Kind::NotFound => {
            "Find the id with `list_tasks`; a deleted task comes back by `undo` of its deletion."
        }
        Kind::Forbidden => "Use only ids that `list_tasks` returns.",
        Kind::ValidationError | Kind::MalformedRequest => "Correct the arguments and call again.",
        Kind::UndoConflict | Kind::PreconditionFailed => {
            "Look at `task`, and set what is needed with `update_task`."
        }
        Kind::QuotaExceeded => "Ask the user which tasks to delete.",
        Kind::CursorExpired => "Forget what you know of the tasks, and call without `cursor`.",
        Kind::OutcomeUnknown => {
            "Read the tasks before you repeat the call. With a `key`, repeating it is safe."
        }
        _ => "Do not repeat the call; tell the user.",
    };
    let is_known = !matches!(problem.kind(), Kind::OutcomeUnknown | Kind::InternalError);
    if tool.writes() && is_known {
        format!("Nothing was changed. {step}")
    } else {
        step.to_owned()
    }
}
