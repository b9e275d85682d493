//! Tasks.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use taskhold_domain::task::{Description as TaskDescription, Title};
use taskhold_domain::user::UserId;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Required};

use super::fields::{SOME_ID, ref_to};
use super::operation::{Description, answer, body, content, describe, json_answer, json_body};
use super::schema::{
    Named, any_required, bounded, count, flag, formatted, instant, list_of, nullable, of_type,
    reference, text, whole, with,
};
use crate::body::JSON;
use crate::export::EXPORT;
use crate::problem::Kind;
use crate::tasks::list::{MAX_LIMIT, SORTS};
use crate::tasks::{COLLECTION, COMPLETION, ITEM, MERGE_PATCH, STATS};

pub(super) const TAG: &str = "tasks";

/// Some instant, for examples.
pub(super) const SOME_TIME: &str = "2026-11-21T08:47:42.412957Z";

/// The operations that can follow on a new task, by their names.
const NEXT: [&str; 5] = [
    "readTask",
    "updateTask",
    "patchTask",
    "completeTask",
    "deleteTask",
];

pub(super) fn descriptions() -> Vec<Description> {
    let describe = |method, path, name, summary| describe(TAG, method, path, name, summary);
    vec![
        describe(Method::POST, COLLECTION, "createTask", "Create a task")
            .taking(json_body("NewTask", &json!({"title": "Buy milk", "description": "2 litres"})))
            .keyed()
            .failing(&[Kind::QuotaExceeded])
            .answering(StatusCode::CREATED, created()),
        describe(Method::GET, COLLECTION, "listTasks", "List the caller's tasks")
            .saying("All of them, newest first, unless a `limit` is given; then by pages.")
            .parameters(list_parameters())
            .answering(
                StatusCode::OK,
                json_answer(
                    "The tasks.",
                    "TaskList",
                    json!({"tasks": [some_task()], "next_cursor": null}),
                )
                .header_ref("Link", ref_to("Link")),
            ),
        describe(Method::GET, STATS, "countTasks", "Count the caller's tasks").answering(
            StatusCode::OK,
            json_answer("How many there are.", "TaskStats", json!({"total": 3, "completed": 1, "pending": 2})),
        ),
        describe(Method::GET, ITEM, "readTask", "Read a task")
            .of_one_task()
            .unless_known()
            .answering(StatusCode::OK, one_task("The task.")),
        describe(Method::PUT, ITEM, "updateTask", "Replace title and description")
            .saying("A description that is left out becomes empty; `completed` stays where it is left out or null.")
            .changing()
            .taking(json_body("TaskUpdate", &json!({"title": "Buy oat milk"})))
            .answering(StatusCode::OK, changed()),
        describe(Method::PATCH, ITEM, "patchTask", "Change what is given")
            .saying("A merge patch (RFC 7396): what is left out stays, and a null description becomes empty.")
            .changing()
            .taking(patch("TaskPatch", Required::True, &json!({"description": "after lunch"})))
            .answering(StatusCode::OK, changed()),
        describe(Method::DELETE, ITEM, "deleteTask", "Delete a task")
            .changing()
            .answering(
                StatusCode::NO_CONTENT,
                answer("It is deleted.").header_ref("Idempotent-Replayed", ref_to("Idempotent-Replayed")),
            ),
        describe(Method::PATCH, COMPLETION, "completeTask", "Complete or reopen a task")
            .saying("Without any body it flips the flag.")
            .changing()
            .taking(patch("Completion", Required::False, &json!({"completed": true})))
            .answering(StatusCode::OK, changed()),
        describe(Method::GET, EXPORT, "exportTasks", "All of the caller's tasks as a file")
            .parameter(query(
                "format",
                text().enum_values(Some(["console", "ndjson"])).default(Some(json!("console"))),
                "For the console, or with everything for another Taskhold: a task on each line.",
            ))
            .parameter(query(
                "timezone",
                text().default(Some(json!("UTC"))),
                "The IANA name of the zone of the console's times, which tell none.",
            ))
            .answering(StatusCode::OK, file()),
    ]
}

pub(super) fn schemas() -> Vec<Named> {
    let completed = || flag().description(Some("Whether it is done."));
    let new_description = || {
        bounded(nullable(Type::String), 0, TaskDescription::MAX_CHARS)
            .description(Some("More about it; left out or null it is empty."))
    };
    vec![
        ("Task", task().into()),
        (
            "TaskAnswer",
            whole([("task", reference("Task").into())]).into(),
        ),
        (
            "TaskList",
            whole([
                ("tasks", list_of("Task").into()),
                (
                    "next_cursor",
                    nullable(Type::String)
                        .description(Some(
                            "The `cursor` of the next page; null where there is none.",
                        ))
                        .into(),
                ),
            ])
            .into(),
        ),
        (
            "TaskStats",
            whole(["total", "completed", "pending"].map(|name| (name, count().into()))).into(),
        ),
        (
            "NewTask",
            with([
                ("title", title().into()),
                ("description", new_description().into()),
                ("completed", completed().default(Some(json!(false))).into()),
            ])
            .required("title")
            .into(),
        ),
        (
            "TaskUpdate",
            with([
                ("title", title().into()),
                ("description", new_description().into()),
                ("completed", nullable(Type::Boolean).into()),
            ])
            .required("title")
            .into(),
        ),
        (
            "TaskPatch",
            any_required(
                with([
                    ("title", title().into()),
                    ("description", new_description().into()),
                    ("completed", completed().into()),
                ]),
                &["title", "description", "completed"],
            )
            .description(Some("One of these at least."))
            .into(),
        ),
        (
            "Completion",
            whole([("completed", completed().into())]).into(),
        ),
        ("ExportedTask", exported().into()),
    ]
}

fn title() -> ObjectBuilder {
    bounded(text(), 1, Title::MAX_CHARS)
        .description(Some("What is to be done; kept exactly as given."))
}

fn task() -> ObjectBuilder {
    whole([
        ("id", formatted("uuid").into()),
        ("title", title().into()),
        (
            "description",
            bounded(text(), 0, TaskDescription::MAX_CHARS)
                .description(Some("More about it; often empty."))
                .into(),
        ),
        ("completed", flag().into()),
        ("created_at", instant(text()).into()),
        (
            "updated_at",
            instant(text())
                .description(Some("Later with every change."))
                .into(),
        ),
        (
            "user_id",
            bounded(text(), 1, UserId::MAX_CHARS)
                .description(Some("The owner: the `sub` of the token."))
                .into(),
        ),
    ])
}

/// A task as the console reads it.
fn exported() -> ObjectBuilder {
    let wall = || text().description(Some("What clocks of the zone showed."));
    whole([
        ("id", of_type(Type::Integer).minimum(Some(1_u32)).into()),
        ("title", title().into()),
        (
            "description",
            bounded(text(), 0, TaskDescription::MAX_CHARS).into(),
        ),
        ("completed", flag().into()),
        ("user_id", text().into()),
        ("created_at", wall().into()),
        ("updated_at", wall().into()),
    ])
}

pub(super) fn some_task() -> Value {
    json!({
        "id": SOME_ID,
        "title": "Buy milk",
        "description": "2 litres",
        "completed": false,
        "created_at": SOME_TIME,
        "updated_at": SOME_TIME,
        "user_id": "anna",
    })
}

fn one_task(text: &str) -> ResponseBuilder {
    json_answer(text, "TaskAnswer", json!({"task": some_task()})).header_ref("ETag", ref_to("ETag"))
}

fn changed() -> ResponseBuilder {
    one_task("The task as it is now.")
        .header_ref("Idempotent-Replayed", ref_to("Idempotent-Replayed"))
}

fn created() -> ResponseBuilder {
    let answer = one_task("The new task.")
        .header_ref("Location", ref_to("Location"))
        .header_ref("Idempotent-Replayed", ref_to("Idempotent-Replayed"));
    NEXT.into_iter().fold(answer, |answer, operation| {
        let link = LinkBuilder::new()
            .operation_id(operation)
            .parameter("id", "$response.body#/task/id")
            .build();
        answer.link(operation, link)
    })
}

fn file() -> ResponseBuilder {
    let example = json!([{
        "id": 1,
        "title": "Buy milk",
        "description": "2 litres",
        "completed": false,
        "user_id": "anna",
        "created_at": "2026-11-21T08:47:42.412957",
        "updated_at": "2026-11-21T08:47:42.412957",
    }]);
    let tasks = ArrayBuilder::new().items(reference("ExportedTask"));
    answer("The file.")
        .content(JSON, content(tasks, example))
        .content(
            "application/x-ndjson",
            content(text(), json!(format!("{}\n", some_task()))),
        )
        .header_ref("Content-Disposition", ref_to("Content-Disposition"))
}

fn patch(
    schema: &str,
    required: Required,
    example: &Value,
) -> utoipa::openapi::request_body::RequestBody {
    body(required, &[JSON, MERGE_PATCH], schema, example)
}

fn query(name: &str, schema: ObjectBuilder, text: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(text))
        .schema(Some(schema))
        .build()
}

fn list_parameters() -> [Parameter; 6] {
    let sorts = SORTS
        .iter()
        .flat_map(|(name, _)| [(*name).to_owned(), format!("-{name}")]);
    let whole_number =
        |min: u64, max: u64| of_type(Type::Integer).minimum(Some(min)).maximum(Some(max));
    [
        query("completed", flag(), "Only these."),
        query(
            "q",
            text().pattern(Some(super::schema::WITHOUT_NUL)),
            "Only tasks with this text in title or description, without regard to case; `%` and `_` mean \
             themselves.",
        ),
        query(
            "sort",
            text()
                .enum_values(Some(sorts))
                .default(Some(json!("-created_at"))),
            "The order; a minus reverses it. Titles are compared code point by code point, and ties are \
             broken by id.",
        ),
        query(
            "limit",
            whole_number(1, MAX_LIMIT.into()),
            "A page of so many.",
        ),
        query(
            "cursor",
            text(),
            "The page after the one that gave this `next_cursor`; with `limit`, and the same `sort`, \
             `completed` and `q`.",
        ),
        query(
            "offset",
            whole_number(0, u64::MAX),
            "Leave out so many; with `limit`, and not with `cursor`.",
        ),
    ]
}
