//! Input of unknown shape about tasks that are added by one line of text.

use super::{Member, TaskInput};
use crate::quick_add::{self, Field, FieldError, QuickDue, Understood};
use crate::task::{Details, Due, DueTime, TaskDraft};
use crate::timestamp::Timestamp;
use crate::violation::{Violation, Violations, both};
use crate::zone::Zone;

/// Input about a quick text. Every broken rule is reported, in the order of the members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuickTextInput {
    /// Required; not empty, and not white space alone.
    pub text: Member<String>,
    /// The name of a time zone. Absent or null it is UTC.
    pub timezone: Member<String>,
    /// The names of fields whose words stay in the title. Absent or null there are none.
    pub except: Member<Vec<String>>,
    /// Absent or null it is `false`.
    pub dry_run: Member<bool>,
}

/// A text that says what a task is, and how it is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuickText {
    /// The text, with one character at least that is no white space.
    pub text: String,
    /// The time zone of the person who wrote the text.
    pub zone: Zone,
    /// The fields whose words stay in the title.
    pub except: Vec<Field>,
    /// `true` if the task is only shown, and not created.
    pub dry_run: bool,
}

impl QuickTextInput {
    /// Checks the rules. Those of the title are checked by [`QuickText::read_at`].
    ///
    /// # Errors
    /// Every broken rule.
    pub fn into_quick_text(self) -> Result<QuickText, Violations> {
        let text = match self.text {
            Member::Given(text) if !text.trim().is_empty() => Ok(text),
            _ => Err(Violation::QuickTextMissing.into()),
        };
        let zone = match self.timezone {
            Member::Absent | Member::Null => Ok(Zone::UTC),
            Member::Given(name) => {
                Zone::parse(&name).map_err(|error| Violation::from(error).into())
            }
            Member::WrongType => Err(Violation::TimeZoneNotText.into()),
        };
        let except = match self.except {
            Member::Absent | Member::Null => Ok(Vec::new()),
            Member::Given(names) => names.iter().map(|name| Field::parse(name)).collect(),
            Member::WrongType => Err(FieldError),
        };
        let except = except.map_err(|error| Violation::from(error).into());
        let dry_run = match self.dry_run {
            Member::Absent | Member::Null => Ok(false),
            Member::Given(dry_run) => Ok(dry_run),
            Member::WrongType => Err(Violation::DryRunNotBoolean.into()),
        };
        let ((text, zone), (except, dry_run)) = both(both(text, zone), both(except, dry_run))?;
        Ok(QuickText {
            text,
            zone,
            except,
            dry_run,
        })
    }
}

impl QuickText {
    /// Reads the text as it was meant at an instant. Returns the task, and the parts of the text that are not in its
    /// title.
    ///
    /// # Errors
    /// Every rule of a title that is broken; [`DueError::Year`](crate::task::DueError::Year) if no clock shows the time
    /// in the years 1 to 9999.
    pub fn read_at(&self, now: Timestamp) -> Result<(TaskDraft, Vec<Understood>), Violations> {
        let read = quick_add::parse(&self.text, self.zone.local(now), &self.except);
        let title = TaskInput {
            title: Member::Given(read.title),
            ..TaskInput::default()
        };
        let draft = TaskDraft {
            details: Details {
                due: read.due.map(|due| self.due(due)).transpose()?,
                priority: read.priority,
                tags: read.tags,
                repeat: read.repeat,
                ..Details::default()
            },
            ..title.into_draft()?
        };
        Ok((draft, read.understood))
    }

    fn due(&self, due: QuickDue) -> Result<Due, Violation> {
        let Some(time) = due.time else {
            return Ok(Due::Date(due.date));
        };
        let time = DueTime::new(due.date.to_datetime(time), self.zone.clone())?;
        Ok(Due::Time(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> Member<String> {
        Member::Given(raw.to_owned())
    }

    fn messages(input: QuickTextInput) -> Vec<(Option<&'static str>, String)> {
        let violations = input.into_quick_text().expect_err("rules are broken");
        violations
            .iter()
            .map(|broken| (broken.field(), broken.to_string()))
            .collect()
    }

    #[test]
    fn every_broken_rule_is_reported_in_the_order_of_the_members() {
        let not_a_field = "Except must be a list of due, repeat, tags and priority";
        let input = QuickTextInput {
            text: text(" \n"),
            timezone: text("Mars/Base"),
            except: Member::Given(vec!["due".to_owned(), "Due".to_owned()]),
            dry_run: Member::WrongType,
        };
        let expected = [
            (Some("text"), "Text must be a non-empty string"),
            (
                Some("timezone"),
                "Time zone must be a known one: there is no time zone `Mars/Base`; names are those of the IANA \
                 database, such as Europe/Berlin",
            ),
            (Some("except"), not_a_field),
            (Some("dry_run"), "Dry run must be a boolean"),
        ];
        assert_eq!(
            messages(input),
            expected.map(|(field, message)| (field, message.to_owned()))
        );
        let input = QuickTextInput {
            text: Member::Null,
            timezone: Member::WrongType,
            except: Member::WrongType,
            dry_run: Member::Given(true),
        };
        let expected = [
            (Some("text"), "Text must be a non-empty string"),
            (Some("timezone"), "Time zone must be a string"),
            (Some("except"), not_a_field),
        ];
        assert_eq!(
            messages(input),
            expected.map(|(field, message)| (field, message.to_owned()))
        );
    }

    #[test]
    fn absent_and_null_members_have_defaults() {
        let null = QuickTextInput {
            text: text("a"),
            timezone: Member::Null,
            except: Member::Null,
            dry_run: Member::Null,
        };
        let absent = QuickTextInput {
            text: text("a"),
            ..QuickTextInput::default()
        };
        let expected = QuickText {
            text: "a".to_owned(),
            zone: Zone::UTC,
            except: Vec::new(),
            dry_run: false,
        };
        assert_eq!(null.into_quick_text(), Ok(expected.clone()));
        assert_eq!(absent.into_quick_text(), Ok(expected));
    }

    #[test]
    fn text_is_read_on_the_day_of_its_zone() {
        let now = "2026-11-25T23:30:00Z".parse().expect("an instant");
        for (zone, due) in [
            ("UTC", "2026-11-26T09:00:00+00:00[UTC]"),
            ("Asia/Tokyo", "2026-11-27T09:00:00+09:00[Asia/Tokyo]"),
            (
                "America/Los_Angeles",
                "2026-11-26T09:00:00-08:00[America/Los_Angeles]",
            ),
        ] {
            let input = QuickTextInput {
                text: text("Pay rent tomorrow 9am every month #home !high"),
                timezone: text(zone),
                ..QuickTextInput::default()
            };
            let text = input.into_quick_text().expect("a quick text");
            let (draft, understood) = text.read_at(now).expect("a draft");
            assert_eq!(understood[0].text, "tomorrow 9am");
            assert_eq!(draft.title.as_str(), "Pay rent");
            assert_eq!(draft.details.due.expect("a time").to_string(), due);
            let repeat = draft.details.repeat.expect("a rule");
            assert_eq!(repeat.to_string(), "FREQ=MONTHLY");
            assert_eq!(draft.details.priority.as_str(), "high");
            assert_eq!(draft.details.tags.iter().count(), 1);
        }
    }

    #[test]
    fn title_that_is_left_obeys_its_rules() {
        let input = QuickTextInput {
            text: text(&format!("{}\0 tomorrow", "a".repeat(101))),
            ..QuickTextInput::default()
        };
        let text = input.into_quick_text().expect("a quick text");
        let violations = text
            .read_at(Timestamp::FIRST)
            .expect_err("rules are broken");
        let messages: Vec<_> = violations.iter().map(ToString::to_string).collect();
        assert_eq!(
            messages,
            [
                "Task title must not exceed 100 characters",
                "Task title must not contain NUL characters"
            ]
        );
    }
}
