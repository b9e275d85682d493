//! The tools: their names, descriptions and calls.

mod arguments;
mod failure;
mod reads;
mod schema;
mod writes;

use std::sync::LazyLock;

use actix_web::web;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use taskhold_api::problem::{Kind, Problem};
use taskhold_application::actor::Actor;
use taskhold_application::change_log::ChangeLog;
use taskhold_application::clock::Clock;
use taskhold_application::tasks::TaskService;
use taskhold_domain::personal_token::Scope;
use taskhold_domain::user::UserId;

use self::arguments::Arguments;

/// A tool. There are few, since each takes room in the context of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    ListTasks,
    GetTask,
    AddTask,
    UpdateTask,
    CompleteTasks,
    DeleteTasks,
    Undo,
    ChangesSince,
}

/// The definitions of all tools, in their order.
static DEFINITIONS: LazyLock<Vec<(Tool, Value)>> = LazyLock::new(|| {
    let tools = Tool::ALL.into_iter();
    tools.map(|tool| (tool, tool.define())).collect()
});

/// Returns the definitions of the tools that a token may call. The order is always the same.
pub(crate) fn definitions(may_write: bool) -> Vec<&'static Value> {
    let visible = |(tool, _): &&(Tool, Value)| may_write || !tool.writes();
    let definitions = DEFINITIONS.iter().filter(visible);
    definitions.map(|(_, definition)| definition).collect()
}

impl Tool {
    /// All tools.
    pub(crate) const ALL: [Self; 8] = [
        Self::ListTasks,
        Self::GetTask,
        Self::AddTask,
        Self::UpdateTask,
        Self::CompleteTasks,
        Self::DeleteTasks,
        Self::Undo,
        Self::ChangesSince,
    ];

    /// Returns the tool of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// Returns the name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ListTasks => "list_tasks",
            Self::GetTask => "get_task",
            Self::AddTask => "add_task",
            Self::UpdateTask => "update_task",
            Self::CompleteTasks => "complete_tasks",
            Self::DeleteTasks => "delete_tasks",
            Self::Undo => "undo",
            Self::ChangesSince => "changes_since",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::ListTasks => "Lists tasks, newest first, 50 unless `limit` is given.",
            Self::GetTask => "Reads a task.",
            Self::AddTask => {
                "Adds a task: by its fields, or by `text`, one line of English such as \
                 `Pay rent tomorrow 9am every month #home !high`."
            }
            Self::UpdateTask => "Changes the given fields of a task; the others stay.",
            Self::CompleteTasks => {
                "Completes tasks, all or none; of one that repeats, `next` has the follow-up."
            }
            Self::DeleteTasks => "Moves tasks to the trash, all or none.",
            Self::Undo => "Takes back the write whose result had this `seq`.",
            Self::ChangesSince => {
                "Lists what changed after `cursor`; without one, all tasks. Go on from the `cursor` of the result."
            }
        }
    }

    /// Returns `true` if the tool changes tasks.
    pub(crate) fn writes(self) -> bool {
        !matches!(self, Self::ListTasks | Self::GetTask | Self::ChangesSince)
    }

    /// Returns the hints for clients that ask a person before a call.
    fn annotations(self) -> Value {
        if !self.writes() {
            return json!({"readOnlyHint": true});
        }
        let (destructive, idempotent) = match self {
            Self::CompleteTasks => (false, true),
            Self::UpdateTask | Self::DeleteTasks => (true, true),
            Self::Undo => (true, false),
            _ => (false, false),
        };
        json!({"readOnlyHint": false, "destructiveHint": destructive, "idempotentHint": idempotent})
    }

    fn define(self) -> Value {
        json!({
            "name": self.name(),
            "description": self.description(),
            "inputSchema": schema::input(self),
            "outputSchema": schema::output(self),
            "annotations": self.annotations(),
        })
    }

    /// Returns the schema of the arguments.
    fn input_schema(self) -> &'static Value {
        let found = DEFINITIONS.iter().find(|(tool, _)| *tool == self);
        found.map_or(&Value::Null, |(_, definition)| {
            definition.get("inputSchema").unwrap_or(&Value::Null)
        })
    }

    /// Calls the tool. A failure is a result that says what to do.
    ///
    /// # Errors
    /// The problem of a token that may not write, or of a caller whose account was deleted meanwhile.
    pub(crate) async fn call(
        self,
        context: &Context<'_>,
        arguments: &Map<String, Value>,
    ) -> Result<ToolResult, Problem> {
        match self.run(context, arguments).await {
            Ok(structured) => Ok(ToolResult::success(structured)),
            Err(problem) => match problem.kind() {
                Kind::Unauthorized | Kind::InsufficientScope | Kind::UserMoved => Err(problem),
                _ => failure::result(self, &problem),
            },
        }
    }

    async fn run(
        self,
        context: &Context<'_>,
        arguments: &Map<String, Value>,
    ) -> Result<Box<RawValue>, Problem> {
        let Context {
            user,
            writer,
            use_cases,
        } = context;
        let actor = || {
            let writer = writer.as_ref();
            writer.ok_or_else(|| Problem::insufficient_scope(Some(Scope::Write)))
        };
        if self.writes() {
            // Before the arguments are looked at.
            actor()?;
        }
        let arguments = Arguments::check(self, arguments)?;
        match self {
            Self::ListTasks => reads::list_tasks(user, use_cases, &arguments).await,
            Self::GetTask => reads::get_task(user, use_cases, &arguments).await,
            Self::ChangesSince => reads::changes_since(user, use_cases, &arguments).await,
            Self::AddTask => writes::add_task(actor()?, use_cases, &arguments).await,
            Self::UpdateTask => writes::update_task(actor()?, use_cases, &arguments).await,
            Self::CompleteTasks => writes::complete_tasks(actor()?, use_cases, &arguments).await,
            Self::DeleteTasks => writes::delete_tasks(actor()?, use_cases, &arguments).await,
            Self::Undo => writes::undo(actor()?, use_cases, &arguments).await,
        }
    }
}

/// The caller of a tool, and the use cases.
pub(crate) struct Context<'a> {
    pub(crate) user: &'a UserId,
    /// The actor of the tools that write; `None` if the token may only read.
    pub(crate) writer: Option<Actor>,
    pub(crate) use_cases: &'a UseCases,
}

/// The use cases that the tools call.
pub(crate) struct UseCases {
    pub(crate) tasks: web::Data<TaskService>,
    pub(crate) log: web::Data<ChangeLog>,
    pub(crate) clock: web::Data<dyn Clock>,
}

/// The result of a call. The text is the same as the structured content, for clients that do not know the latter.
#[derive(Serialize)]
pub(crate) struct ToolResult {
    content: [TextContent; 1],
    #[serde(rename = "structuredContent")]
    structured_content: Box<RawValue>,
    #[serde(rename = "isError")]
    is_error: bool,
}

#[derive(Serialize)]
struct TextContent {
    r#type: &'static str,
    text: String,
}

impl ToolResult {
    fn success(structured_content: Box<RawValue>) -> Self {
        let text = structured_content.get().to_owned();
        Self::new(text, structured_content, false)
    }

    fn new(text: String, structured_content: Box<RawValue>, is_error: bool) -> Self {
        Self {
            content: [TextContent {
                r#type: "text",
                text,
            }],
            structured_content,
            is_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// About 1,500 tokens.
    const MAX_LIST_BYTES: usize = 6 * 1024;

    #[test]
    fn tools_take_little_room() {
        let list = serde_json::to_string(&definitions(true)).expect("JSON");
        assert!(list.len() <= MAX_LIST_BYTES, "{} bytes: {list}", list.len());
    }

    #[test]
    fn reading_token_sees_no_tool_that_writes() {
        let names: Vec<_> = definitions(false)
            .into_iter()
            .map(|tool| (&tool["name"], &tool["annotations"]["readOnlyHint"]))
            .collect();
        let reads = Value::Bool(true);
        let expected = ["list_tasks", "get_task", "changes_since"].map(Value::from);
        let expected: Vec<_> = expected.iter().map(|name| (name, &reads)).collect();
        assert_eq!(names, expected);
    }
}
