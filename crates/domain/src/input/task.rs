//! Input of unknown shape about tasks.

use super::Member;
use crate::task::{
    Completion, Description, DescriptionError, Destination, Details, DetailsChange, Due, DueError,
    Priority, PriorityError, Repeat, RepeatError, RepeatFrom, RepeatFromError, Tags, TagsError,
    TaskChange, TaskDraft, TaskId, Title, TitleError,
};
use crate::violation::{Violation, Violations, both};

/// Input about a task, such as a request body, a form or a row of a file. It becomes a [`TaskDraft`] or a
/// [`TaskChange`], or reports every broken rule in the order of the members.
///
/// ```
/// use taskhold_domain::input::{Member, TaskInput};
///
/// let input = TaskInput {
///     title: Member::Given("a".repeat(101)),
///     description: Member::Null,
///     completed: Member::WrongType,
///     ..TaskInput::default()
/// };
/// let violations = input.into_draft().unwrap_err();
/// let messages: Vec<_> = violations.iter().map(|broken| broken.to_string()).collect();
/// assert_eq!(
///     messages,
///     ["Task title must not exceed 100 characters", "Task completed status must be a boolean"],
/// );
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskInput {
    /// The title; required except in a patch.
    pub title: Member<String>,
    /// The description. Null means empty; so does absent, except in a patch.
    pub description: Member<String>,
    /// The flag. Absent means `false` in a draft, and unchanged otherwise.
    pub completed: Member<bool>,
    /// Due date, priority, tags and repeat.
    pub details: DetailsInput,
}

/// Input about where a task is moved: exactly one of the members is given.
///
/// ```
/// use taskhold_domain::input::{Member, MoveInput};
/// use taskhold_domain::task::Destination;
///
/// let to_end = MoveInput { before: Member::Null, after: Member::Absent };
/// assert_eq!(to_end.into_destination(), Ok(Destination::End));
/// let nowhere = MoveInput::default().into_destination().unwrap_err();
/// assert_eq!(nowhere.to_string(), "Task move must have exactly one of the members before and after");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MoveInput {
    /// The id of the task before which it comes; null stands for the end of the list.
    pub before: Member<String>,
    /// The id of the task after which it comes; null stands for the start of the list.
    pub after: Member<String>,
}

impl MoveInput {
    /// Converts the input.
    ///
    /// # Errors
    /// The broken rule.
    pub fn into_destination(self) -> Result<Destination, Violations> {
        match (self.before, self.after) {
            (Member::Null, Member::Absent) => Ok(Destination::End),
            (Member::Absent, Member::Null) => Ok(Destination::Start),
            (before, Member::Absent) if before != Member::Absent => {
                neighbour("before", before).map(Destination::Before)
            }
            (Member::Absent, after) if after != Member::Absent => {
                neighbour("after", after).map(Destination::After)
            }
            _ => Err(Violation::NotOneDestination.into()),
        }
    }
}

fn neighbour(field: &'static str, member: Member<String>) -> Result<TaskId, Violations> {
    let id = match member {
        Member::Given(raw) => TaskId::parse(&raw).ok(),
        Member::Absent | Member::Null | Member::WrongType => None,
    };
    id.ok_or_else(|| Violation::NotNeighbour(field).into())
}

/// Reads the text of a due date.
type ParseDue = fn(&str) -> Result<Due, DueError>;

/// Input about the details of a task. Null stands for the value of a new task; an absent member for the same in a
/// draft, and for no change otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DetailsInput {
    /// A date, or a time with an offset or a zone.
    pub due: Member<String>,
    /// The name of a priority.
    pub priority: Member<String>,
    /// The tags.
    pub tags: Member<Vec<String>>,
    /// The value of an RRULE. Needs a due date: its own error, unless the due date has one.
    pub repeat: Member<String>,
    /// The name of what the rule counts from.
    pub repeat_from: Member<String>,
}

impl DetailsInput {
    /// Converts the input. `parse_due` reads a due date. Whether a rule has a due date is known only if the input
    /// clears that.
    fn into_change(self, parse_due: ParseDue) -> Result<DetailsChange, Violations> {
        let clears_due = self.due == Member::Null;
        let due = detail(self.due, |raw| parse_due(&raw).map(Some), DueError::Form);
        let priority = detail(self.priority, |raw| Priority::parse(&raw), PriorityError);
        let tags = detail(self.tags, Tags::parse, TagsError::NotStrings);
        let repeat = detail(
            self.repeat,
            |raw: String| Repeat::parse(&raw).map(Some),
            RepeatError::NotText,
        );
        let repeat = repeat.and_then(|repeat| match repeat {
            Some(Some(_)) if clears_due => Err(Violation::RepeatWithoutDue.into()),
            repeat => Ok(repeat),
        });
        let repeat_from = detail(
            self.repeat_from,
            |raw: String| RepeatFrom::parse(&raw),
            RepeatFromError,
        );
        let repeats = both(repeat, repeat_from);
        let (((due, priority), tags), (repeat, repeat_from)) =
            both(both(both(due, priority), tags), repeats)?;
        Ok(DetailsChange {
            due,
            priority,
            tags,
            repeat,
            repeat_from,
        })
    }

    fn into_details(mut self, parse_due: ParseDue) -> Result<Details, Violations> {
        if self.due == Member::Absent {
            self.due = Member::Null;
        }
        let mut details = Details::default();
        self.into_change(parse_due)?.apply(&mut details);
        Ok(details)
    }
}

impl TaskInput {
    /// Converts the input for creating a task.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn into_draft(self) -> Result<TaskDraft, Violations> {
        self.into_draft_with(Due::parse)
    }

    /// Converts the input for a task that was stored, whose due date may be [as stored](Due::to_stored).
    ///
    /// # Errors
    /// Every broken rule.
    pub(crate) fn into_stored_draft(self) -> Result<TaskDraft, Violations> {
        self.into_draft_with(Due::from_stored)
    }

    fn into_draft_with(self, parse_due: ParseDue) -> Result<TaskDraft, Violations> {
        let completed = match self.completed {
            Member::Absent => Ok(false),
            given => completed(given),
        };
        let text = both(title(self.title), description(self.description));
        let console = both(text, completed);
        let (((title, description), completed), details) =
            both(console, self.details.into_details(parse_due))?;
        Ok(TaskDraft {
            title,
            description,
            completed,
            details,
        })
    }

    /// Converts the input for replacing title and description. The flag stays if it is absent or null, and a detail
    /// if it is absent.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn into_update(self) -> Result<TaskChange, Violations> {
        let completion = match self.completed {
            Member::Absent | Member::Null => Ok(None),
            given => completed(given).map(Some),
        };
        let text = both(title(self.title), description(self.description));
        let console = both(text, completion);
        let (((title, description), completion), details) =
            both(console, self.details.into_change(Due::parse))?;
        Ok(TaskChange {
            completion: completion.map(Completion::Set),
            details,
            ..TaskChange::update(title, description)
        })
    }

    /// Converts the input of a merge patch: absent members stay, a null description becomes empty.
    ///
    /// # Errors
    /// Every broken rule; [`Violation::EmptyPatch`] if every member is absent.
    pub fn into_patch(self) -> Result<TaskChange, Violations> {
        if self == Self::default() {
            return Err(Violation::EmptyPatch.into());
        }
        let text = both(
            self.title.if_given(title),
            self.description.if_given(description),
        );
        let console = both(text, self.completed.if_given(completed));
        let (((title, description), completed), details) =
            both(console, self.details.into_change(Due::parse))?;
        Ok(TaskChange {
            title,
            description,
            completion: completed.map(Completion::Set),
            position: None,
            details,
        })
    }

    /// Converts the flag alone, which is required.
    ///
    /// # Errors
    /// [`Violation::CompletedNotBoolean`] if it is absent, null or not a boolean.
    pub fn into_completion(self) -> Result<TaskChange, Violations> {
        match self.completed {
            Member::Given(completed) => Ok(TaskChange::complete(completed)),
            Member::Absent | Member::Null | Member::WrongType => {
                Err(Violation::CompletedNotBoolean.into())
            }
        }
    }
}

impl<T> Member<T> {
    /// Checks the rules unless the member is absent.
    fn if_given<U>(
        self,
        rules: fn(Self) -> Result<U, Violations>,
    ) -> Result<Option<U>, Violations> {
        match self {
            Self::Absent => Ok(None),
            given => rules(given).map(Some),
        }
    }
}

fn title(member: Member<String>) -> Result<Title, Violations> {
    let Member::Given(raw) = member else {
        return Err(Violation::from(TitleError::Empty).into());
    };
    Violations::check(Title::broken_rules(&raw))?;
    Ok(Title::parse(raw).map_err(Violation::from)?)
}

fn description(member: Member<String>) -> Result<Description, Violations> {
    let raw = match member {
        Member::Absent | Member::Null => return Ok(Description::default()),
        Member::WrongType => return Err(Violation::from(DescriptionError::NotText).into()),
        Member::Given(raw) => raw,
    };
    Violations::check(Description::broken_rules(&raw))?;
    Ok(Description::parse(raw).map_err(Violation::from)?)
}

/// Returns the new value of a detail, or `None` if the member is absent.
fn detail<Raw, T: Default, E: Into<Violation>>(
    member: Member<Raw>,
    parse: impl FnOnce(Raw) -> Result<T, E>,
    wrong_type: E,
) -> Result<Option<T>, Violations> {
    match member {
        Member::Absent => Ok(None),
        Member::Null => Ok(Some(T::default())),
        Member::WrongType => Err(wrong_type.into().into()),
        Member::Given(raw) => parse(raw).map(Some).map_err(|error| error.into().into()),
    }
}

fn completed(member: Member<bool>) -> Result<bool, Violations> {
    match member {
        Member::Given(completed) => Ok(completed),
        Member::Absent | Member::Null | Member::WrongType => {
            Err(Violation::CompletedNotBoolean.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> Member<String> {
        Member::Given(raw.to_owned())
    }

    fn messages<T: std::fmt::Debug>(result: Result<T, Violations>) -> Vec<String> {
        let violations = result.expect_err("rules are broken");
        violations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_broken_rule_is_reported_in_the_order_of_the_console() {
        let input = TaskInput {
            title: Member::Null,
            description: text(&"\0".repeat(501)),
            completed: Member::WrongType,
            ..TaskInput::default()
        };
        let expected = [
            "Task title must be a non-empty string",
            "Task description must not exceed 500 characters",
            "Task description must not contain NUL characters",
            "Task completed status must be a boolean",
        ];
        assert_eq!(messages(input.clone().into_draft()), expected);
        assert_eq!(messages(input.clone().into_update()), expected);
        assert_eq!(messages(input.into_patch()), expected);
    }

    #[test]
    fn missing_null_or_mistyped_title_gets_the_empty_title_message() {
        for title in [Member::Absent, Member::Null, Member::WrongType, text("")] {
            let input = TaskInput {
                title,
                ..TaskInput::default()
            };
            let expected = ["Task title must be a non-empty string"];
            assert_eq!(messages(input.clone().into_draft()), expected);
            assert_eq!(messages(input.into_update()), expected);
        }
    }

    #[test]
    fn draft_has_the_defaults_of_the_console() {
        for description in [Member::Absent, Member::Null, text("")] {
            let input = TaskInput {
                title: text(" "),
                description,
                completed: Member::Absent,
                ..TaskInput::default()
            };
            let draft = input.into_draft().expect("a valid draft");
            assert_eq!(draft.title.as_str(), " ");
            assert_eq!(draft.description, Description::default());
            assert!(!draft.completed);
        }
        let null_flag = TaskInput {
            title: text("a"),
            completed: Member::Null,
            ..TaskInput::default()
        };
        assert_eq!(
            messages(null_flag.into_draft()),
            ["Task completed status must be a boolean"]
        );
    }

    #[test]
    fn update_replaces_both_texts_and_keeps_a_missing_flag() {
        for completed in [Member::Absent, Member::Null] {
            let input = TaskInput {
                title: text("new"),
                completed,
                ..TaskInput::default()
            };
            let change = input.into_update().expect("a valid update");
            assert_eq!(change.description, Some(Description::default()));
            assert_eq!(change.completion, None);
        }
        let with_flag = TaskInput {
            title: text("new"),
            completed: Member::Given(true),
            ..TaskInput::default()
        };
        let change = with_flag.into_update().expect("a valid update");
        assert_eq!(change.completion, Some(Completion::Set(true)));
    }

    #[test]
    fn patch_changes_only_given_members() {
        let cleared = TaskInput {
            description: Member::Null,
            ..TaskInput::default()
        };
        assert_eq!(
            cleared.into_patch().expect("a valid patch"),
            TaskChange {
                description: Some(Description::default()),
                ..TaskChange::default()
            },
        );
        for input in [
            TaskInput {
                title: Member::Null,
                ..TaskInput::default()
            },
            TaskInput {
                title: text(""),
                ..TaskInput::default()
            },
        ] {
            assert_eq!(
                messages(input.into_patch()),
                ["Task title must be a non-empty string"]
            );
        }
        let null_flag = TaskInput {
            completed: Member::Null,
            ..TaskInput::default()
        };
        assert_eq!(
            messages(null_flag.into_patch()),
            ["Task completed status must be a boolean"]
        );
        assert_eq!(
            messages(TaskInput::default().into_patch()),
            ["Task patch must have at least one member, such as title, description or completed"],
        );
    }

    #[test]
    fn completion_requires_a_boolean() {
        let set = TaskInput {
            completed: Member::Given(false),
            ..TaskInput::default()
        };
        assert_eq!(set.into_completion(), Ok(TaskChange::complete(false)));
        for completed in [Member::Absent, Member::Null, Member::WrongType] {
            let input = TaskInput {
                completed,
                ..TaskInput::default()
            };
            assert_eq!(
                messages(input.into_completion()),
                ["Task completed status must be a boolean"]
            );
        }
    }
}
