//! Input of unknown shape about tasks.

use super::Member;
use crate::task::{
    Completion, Description, DescriptionError, TaskChange, TaskDraft, Title, TitleError,
};
use crate::violation::{Violation, Violations, both};

/// Input about a task, such as a request body, a form or a row of a file. It becomes a [`TaskDraft`] or a
/// [`TaskChange`], or reports every broken rule in the order title, description, completed.
///
/// ```
/// use taskhold_domain::input::{Member, TaskInput};
///
/// let input = TaskInput {
///     title: Member::Given("a".repeat(101)),
///     description: Member::Null,
///     completed: Member::WrongType,
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
}

impl TaskInput {
    /// Converts the input for creating a task.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn into_draft(self) -> Result<TaskDraft, Violations> {
        let completed = match self.completed {
            Member::Absent => Ok(false),
            given => completed(given),
        };
        let text = both(title(self.title), description(self.description));
        let ((title, description), completed) = both(text, completed)?;
        Ok(TaskDraft {
            title,
            description,
            completed,
        })
    }

    /// Converts the input for replacing title and description. The flag stays if it is absent or null.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn into_update(self) -> Result<TaskChange, Violations> {
        let completion = match self.completed {
            Member::Absent | Member::Null => Ok(None),
            given => completed(given).map(Some),
        };
        let text = both(title(self.title), description(self.description));
        let ((title, description), completion) = both(text, completion)?;
        Ok(TaskChange {
            completion: completion.map(Completion::Set),
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
        let ((title, description), completed) = both(text, self.completed.if_given(completed))?;
        Ok(TaskChange {
            title,
            description,
            completion: completed.map(Completion::Set),
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
        violations.iter().map(|broken| broken.to_string()).collect()
    }

    #[test]
    fn every_broken_rule_is_reported_in_the_order_of_the_console() {
        let input = TaskInput {
            title: Member::Null,
            description: text(&"\0".repeat(501)),
            completed: Member::WrongType,
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
            ["Task patch must have at least one of title, description and completed"],
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
