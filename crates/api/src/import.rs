//! `POST /api/v1/import`: the tasks in a file become the caller's.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};
use taskhold_application::import::{ImportReport, RejectedRow, UserImports};
use taskhold_application::tasks::TaskError;
use taskhold_domain::import::LocalDateTime;
use taskhold_domain::zone::Zone;
use taskhold_transfer::batches::read_batches;
use taskhold_transfer::reader::FileError;
use taskhold_transfer::unknown::{Meaning, UnknownMembers};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, Type};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder};
use utoipa::{IntoParams, ToSchema};

use crate::body::{Body, JSON, NDJSON};
use crate::caller::{Caller, Write};
use crate::parameters::{self, not_one_of};
use crate::problem::{Kind, Problem};
use crate::route::{Access, Endpoint};
use crate::schema::{query_parameter, schema_type, zone_name};
use crate::tasks::zone_named;
use crate::upload;

/// The rows that are read and stored at once: few, so that other requests need not wait.
const BATCH: usize = 250;
/// The most rows of a file.
const MAX_ROWS: u64 = 100_000;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::new::<__path_import>(Access::Write, || {
        web::to(import)
    })]
}

/// Import a file of tasks
///
/// A file as `GET /api/v1/export` writes it, or the original command-line app, of at most 16 MiB and 100,000 rows: a JSON
/// array or, as `application/x-ndjson`, a JSON object on each line. All tasks become the caller's, whatever `user_id` they have. Rows that
/// break a rule are listed, the first 100, and all others are imported. Any other failure imports nothing. A row that
/// was imported before is not imported again, so that the request can be repeated.
#[utoipa::path(
    post,
    path = "/api/v1/import",
    operation_id = "importTasks",
    params(ImportParameters),
    request_body(content = ImportedRows, example = rows_example),
    responses(
        (
            status = 200,
            description = "The counts of the rows, and the rejected ones.",
            body = ImportBody,
            example = report_example,
        ),
        (status = 400, description = "NotImported"),
        (status = 409, description = "QuotaExceeded"),
    ),
)]
async fn import(
    caller: Caller<Write>,
    request: HttpRequest,
    imports: web::Data<UserImports>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (zone, is_dry_run) = parse(request.query_string())?;
    let _admitted = imports.admit(caller.id()).await?;
    let _place = imports.place_for_file().await?;
    let file = upload::receive(body, &[JSON, NDJSON]).await?;
    let to_instant = move |local: LocalDateTime| zone.instant(local.as_civil());
    let mut import = imports.begin(caller.id(), to_instant).await?;
    let mut unknown = UnknownMembers::default();
    let mut batches = read_batches(file, None, BATCH);
    while let Some(batch) = batches.recv().await {
        let (rows, left_out) = batch.map_err(not_imported)?;
        if rows.last().is_some_and(|row| row.position > MAX_ROWS) {
            return Err(too_many_rows());
        }
        import.stage(rows).await?;
        unknown = left_out;
    }
    let report = import.finish(is_dry_run).await.map_err(unfinished)?;
    Ok(HttpResponse::Ok().json(ImportBody::new(is_dry_run, &report, &unknown)))
}

/// Parses the query parameters.
fn parse(query_string: &str) -> Result<(Zone, bool), Problem> {
    let given = parameters::read(query_string, &["timezone", "dry_run"])?;
    let zone = given.get("timezone");
    let zone = zone.map_or(Ok(Zone::UTC), |name| zone_named(name))?;
    match given.get("dry_run").map(String::as_str) {
        None | Some("false") => Ok((zone, false)),
        Some("true") => Ok((zone, true)),
        Some(other) => Err(not_one_of("dry_run", other, &["true", "false"])),
    }
}

/// Returns the problem of a file that is no file of tasks.
pub(crate) fn not_imported(error: FileError) -> Problem {
    match error {
        FileError::Invalid { .. } => Problem::malformed(format!("Nothing was imported: {error}.")),
        FileError::Io(error) => Problem::internal(error),
    }
}

/// Returns the problem of an import that failed after its file was read.
fn unfinished(error: TaskError) -> Problem {
    match error {
        TaskError::OutcomeUnknown(cause) => Problem::outcome_unknown(
            "The store was lost while it wrote. Import the file again to see what came of it: no task is created twice.",
            cause,
        ),
        other => other.into(),
    }
}

fn too_many_rows() -> Problem {
    let detail = format!(
        "A file has at most {MAX_ROWS} rows. Nothing was imported: send it in several parts."
    );
    Problem::new(Kind::PayloadTooLarge, detail)
}

/// The query parameters, for their description.
struct ImportParameters;

impl IntoParams for ImportParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query_parameter(
                "timezone",
                zone_name(),
                "The IANA name of the zone of times that tell none; left out it is `UTC`. A task that was imported \
                 before does not change with it.",
            ),
            query_parameter(
                "dry_run",
                ObjectBuilder::new().schema_type(Type::Boolean),
                "`true` to be told what would become of the rows, without importing any.",
            ),
        ]
    }
}

schema_type!(
    /// The rows of a file, which have rules of their own.
    ImportedRows = {
        let row = ObjectBuilder::new()
            .additional_properties(Some(AdditionalProperties::FreeForm(true)));
        ArrayBuilder::new().items(row)
    }
);

#[derive(Serialize, ToSchema)]
#[schema(as = ImportReport)]
pub(crate) struct ImportBody<'a> {
    /// `true` if nothing was changed.
    dry_run: bool,
    /// The number of new tasks.
    imported: u64,
    /// The number of rows that were imported before. Their tasks stay as they are.
    already_there: u64,
    /// The number of rows that were imported before and whose tasks were deleted since. They stay deleted.
    deleted_since: u64,
    /// The number of rows that a later row of the file with the same id replaces.
    duplicates_dropped: u64,
    /// The number of rows that were not imported because they break a rule.
    rejected: u64,
    /// The number of tasks that were read back and equal their rows: all that were imported.
    verified: u64,
    /// The first 100 of the rejected rows.
    rejections: Vec<RejectionBody<'a>>,
    /// The members of rows that mean nothing to this service, and were left out.
    unknown_members: Vec<UnknownMemberBody<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RejectedRow)]
pub(crate) struct RejectionBody<'a> {
    /// The number of the row in the file, from 1.
    position: u64,
    /// The id of the row, if it has one.
    #[schema(required)]
    id: Option<&'a str>,
    /// The rule that the row breaks, for people.
    reason: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UnknownMember)]
pub(crate) struct UnknownMemberBody<'a> {
    name: &'a str,
    /// The number of rows that have the member.
    rows: u64,
    /// The meaning that the name suggests, `completion`, `owner` or `date`, if this service reads that from another
    /// member.
    #[schema(required)]
    looks_like: Option<&'static str>,
}

impl<'a> ImportBody<'a> {
    fn new(dry_run: bool, report: &'a ImportReport, unknown: &'a UnknownMembers) -> Self {
        let counts = &report.counts;
        Self {
            dry_run,
            imported: counts.imported,
            already_there: counts.already_there,
            deleted_since: counts.deleted_since,
            duplicates_dropped: counts.duplicates,
            rejected: report.rejected,
            verified: report.verified,
            rejections: report.rejections.iter().map(Into::into).collect(),
            unknown_members: unknown.iter().map(UnknownMemberBody::of).collect(),
        }
    }
}

impl<'a> From<&'a RejectedRow> for RejectionBody<'a> {
    fn from(row: &'a RejectedRow) -> Self {
        Self {
            position: row.position,
            id: row.id.as_deref(),
            reason: row.reason.to_string(),
        }
    }
}

impl<'a> UnknownMemberBody<'a> {
    fn of((name, rows): (&'a str, u64)) -> Self {
        Self {
            name,
            rows,
            looks_like: Meaning::of(name).map(Meaning::as_str),
        }
    }
}

fn rows_example() -> Value {
    json!([{"id": 1, "title": "Buy milk", "description": "2 litres", "completed": false}])
}

fn report_example() -> Value {
    json!({
        "dry_run": false,
        "imported": 2,
        "already_there": 0,
        "deleted_since": 0,
        "duplicates_dropped": 0,
        "rejected": 1,
        "verified": 2,
        "rejections": [
            {"position": 2, "id": "2", "reason": "Task title must be a non-empty string"},
        ],
        "unknown_members": [{"name": "done", "rows": 3, "looks_like": "completion"}],
    })
}
