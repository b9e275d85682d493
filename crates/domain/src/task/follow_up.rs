//! Follow-ups of tasks that repeat.

use super::{Completion, Details, DetailsChange, Task, TaskChange, TaskDraft, TaskId};
use crate::timestamp::Timestamp;
use crate::zone::Zone;

/// What a follow-up is made with, if the completion of a task leads to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowUp {
    /// Its id.
    pub id: TaskId,
    /// The zone in which a task that is due on a mere date is completed. A task that is due at a time is completed in
    /// the zone of that time.
    pub zone: Zone,
}

impl TaskChange {
    /// Returns whether this change completes some tasks.
    #[must_use]
    pub fn may_complete(&self) -> bool {
        matches!(
            self.completion,
            Some(Completion::Set(true) | Completion::Toggle | Completion::At(_))
        )
    }
}

impl Task {
    /// Returns whether `change` completes this task while the task is open and repeats, so that it leads to a
    /// follow-up. A change that clears the rule does not.
    #[must_use]
    pub fn is_repeated_by(&self, change: &TaskChange) -> bool {
        let repeat = change.details.repeat.as_ref();
        let repeats = repeat.unwrap_or(&self.details.repeat).is_some();
        !self.completed && change.may_complete() && repeats
    }

    /// Returns whether `change` can be made by itself: it leaves no rule without a due date, and does not lead to a
    /// follow-up.
    #[must_use]
    pub fn allows(&self, change: &TaskChange) -> bool {
        !change.details.breaks_repeat(&self.details) && !self.is_repeated_by(change)
    }

    /// Returns the change to make instead of `change`, and the follow-up to add with it; `None` if `change` does not
    /// lead to a follow-up, or leaves a rule without a due date. The change takes the rule off the task, so that no
    /// second completion has a follow-up. There is none either if the rule has ended.
    ///
    /// ```
    /// use taskhold_domain::input::{DetailsInput, Member, TaskInput};
    /// use taskhold_domain::task::{FollowUp, Task, TaskChange, TaskId};
    /// use taskhold_domain::timestamp::Timestamp;
    /// use taskhold_domain::user::UserId;
    /// use taskhold_domain::zone::Zone;
    /// use uuid::Uuid;
    ///
    /// let text = |text: &str| Member::Given(text.to_owned());
    /// let details = DetailsInput {
    ///     due: text("2026-12-01"),
    ///     repeat: text("FREQ=MONTHLY;COUNT=2"),
    ///     ..DetailsInput::default()
    /// };
    /// let input = TaskInput { title: text("Pay rent"), details, ..TaskInput::default() };
    /// let (id, now) = (TaskId::from_uuid(Uuid::from_u128(1)), Timestamp::FIRST);
    /// let mut rent = Task::create(id, UserId::parse("anna")?, input.into_draft()?, now);
    ///
    /// let follow_up = FollowUp { id: TaskId::from_uuid(Uuid::from_u128(2)), zone: Zone::UTC };
    /// let (change, next) = rent.repeated(&TaskChange::complete(true), &follow_up, now).unwrap();
    /// rent.apply(&change, now);
    /// assert!(rent.completed && rent.details.repeat.is_none());
    /// let next = next.unwrap().details;
    /// assert_eq!(next.due.unwrap().to_string(), "2027-01-01");
    /// assert_eq!(next.repeat.unwrap().to_string(), "FREQ=MONTHLY;COUNT=1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn repeated(
        &self,
        change: &TaskChange,
        follow_up: &FollowUp,
        now: Timestamp,
    ) -> Option<(TaskChange, Option<Box<Self>>)> {
        if !self.is_repeated_by(change) || change.details.breaks_repeat(&self.details) {
            return None;
        }
        let mut completed = self.clone();
        completed.apply(change, now);
        let change = TaskChange {
            details: DetailsChange {
                repeat: Some(None),
                ..change.details.clone()
            },
            ..change.clone()
        };
        Some((change, completed.next(follow_up, now).map(Box::new)))
    }

    /// Returns the follow-up of this task, which is completed at `now`.
    fn next(self, follow_up: &FollowUp, now: Timestamp) -> Option<Self> {
        let due = self.details.due.as_ref()?;
        let day = due.local_day(now, &follow_up.zone);
        let in_utc = |date| Some(Zone::UTC.local(due.on(date)?.instant()?));
        let rule = self.details.repeat.as_ref()?;
        let (date, rest) = rule.follow_up(self.details.repeat_from, due.date(), day, in_utc)?;
        let draft = TaskDraft {
            title: self.title,
            description: self.description,
            completed: false,
            details: Details {
                due: Some(due.on(date)?),
                repeat: Some(rest),
                ..self.details
            },
        };
        Some(Self::create(follow_up.id, self.owner, draft, now))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::input::{DetailsInput, Member, TaskInput};
    use crate::user::UserId;

    fn id(number: u128) -> TaskId {
        TaskId::from_uuid(Uuid::from_u128(number))
    }

    fn task(due: &str, repeat: &str, from: &str) -> Task {
        let text = |text: &str| Member::Given(text.to_owned());
        let input = TaskInput {
            title: text("Water the plants"),
            description: text("all of them"),
            details: DetailsInput {
                due: text(due),
                priority: text("high"),
                tags: Member::Given(vec!["home".to_owned()]),
                repeat: text(repeat),
                repeat_from: text(from),
            },
            ..TaskInput::default()
        };
        let owner = UserId::parse("anna").unwrap();
        Task::create(id(1), owner, input.into_draft().unwrap(), Timestamp::FIRST)
    }

    /// Returns the due date and the rule of the follow-up.
    fn next(task: &Task, zone: &str, now: &str) -> Option<(String, String)> {
        let follow_up = FollowUp {
            id: id(2),
            zone: Zone::parse(zone).unwrap(),
        };
        let (_, next) = task
            .repeated(&TaskChange::toggle(), &follow_up, now.parse().unwrap())
            .expect("a follow-up");
        let details = next?.details;
        Some((
            details.due.unwrap().to_string(),
            details.repeat.unwrap().to_string(),
        ))
    }

    fn texts(due: &str, rule: &str) -> (String, String) {
        (due.to_owned(), rule.to_owned())
    }

    #[test]
    fn follow_up_has_everything_but_the_completion() {
        let before = task("2026-12-01", "FREQ=DAILY", "completion");
        let now: Timestamp = "2026-12-05T00:00:00Z".parse().unwrap();
        let follow_up = FollowUp {
            id: id(2),
            zone: Zone::UTC,
        };
        let renamed = TaskChange {
            title: Some("Water them".parse().unwrap()),
            ..TaskChange::complete(true)
        };
        let (change, next) = before.repeated(&renamed, &follow_up, now).unwrap();
        let next = next.unwrap();
        let mut after = before.clone();
        after.apply(&change, now);
        assert!(after.completed && after.details.repeat.is_none());
        assert_eq!((next.id, &next.owner), (id(2), &before.owner));
        assert_eq!((next.created_at, next.completed), (now, false));
        assert_eq!(
            (&next.title, &next.description),
            (&after.title, &before.description)
        );
        let details = Details {
            due: Some("2026-12-06".parse().unwrap()),
            ..before.details.clone()
        };
        assert_eq!(next.details, details);
        // Completing the task again leads to nothing.
        assert_eq!(after.repeated(&renamed, &follow_up, now), None);
        after.apply(&TaskChange::toggle(), now);
        assert_eq!(after.repeated(&renamed, &follow_up, now), None);
    }

    #[test]
    fn day_of_a_completion_is_that_of_the_due_dates_zone() {
        let now = "2026-12-05T23:30:00Z";
        let date = task("2026-12-01", "FREQ=DAILY", "completion");
        assert_eq!(
            next(&date, "UTC", now),
            Some(texts("2026-12-06", "FREQ=DAILY"))
        );
        assert_eq!(
            next(&date, "Europe/Berlin", now),
            Some(texts("2026-12-07", "FREQ=DAILY"))
        );
        let time = task(
            "2026-12-01T09:00:00+09:00[Asia/Tokyo]",
            "FREQ=DAILY",
            "completion",
        );
        for zone in ["UTC", "America/New_York"] {
            assert_eq!(
                next(&time, zone, now),
                Some(texts("2026-12-07T09:00:00+09:00[Asia/Tokyo]", "FREQ=DAILY")),
            );
        }
    }

    #[test]
    fn wall_time_survives_a_gap() {
        let mut task = task(
            "2026-03-28T02:30:00+01:00[Europe/Berlin]",
            "FREQ=DAILY;UNTIL=20260330T003000Z",
            "due",
        );
        let now = "2026-03-28T12:00:00Z";
        let rule = "FREQ=DAILY;UNTIL=20260330T003000Z";
        for due in [
            "2026-03-29T03:30:00+02:00[Europe/Berlin]",
            "2026-03-30T02:30:00+02:00[Europe/Berlin]",
        ] {
            assert_eq!(next(&task, "UTC", now), Some(texts(due, rule)));
            let on = task.details.due.as_ref().unwrap();
            task.details.due = on.on(on.date().tomorrow().unwrap());
        }
        assert_eq!(next(&task, "UTC", now), None);
    }

    #[test]
    fn ended_rule_has_no_follow_up() {
        let last = task("2026-12-01", "FREQ=DAILY;COUNT=1", "due");
        assert_eq!(next(&last, "UTC", "2026-12-01T00:00:00Z"), None);
        let last = task("9999-12-31", "FREQ=DAILY", "due");
        assert_eq!(next(&last, "UTC", "2026-12-01T00:00:00Z"), None);
    }

    #[test]
    fn rule_needs_a_due_date_after_the_change() {
        let repeating = task("2026-12-01", "FREQ=DAILY", "due").details;
        let no_due = Details::default();
        let due = repeating.due.clone();
        let rule = repeating.repeat.clone();
        for (details, due, repeat, breaks) in [
            (&repeating, None, None, false),
            (&repeating, Some(None), None, true),
            (&repeating, Some(None), Some(None), false),
            (&repeating, Some(None), Some(rule.clone()), true),
            (&repeating, Some(due.clone()), None, false),
            (&no_due, None, None, false),
            (&no_due, None, Some(rule.clone()), true),
            (&no_due, Some(due), Some(rule), false),
            (&no_due, Some(None), Some(None), false),
        ] {
            let change = DetailsChange {
                due,
                repeat,
                ..DetailsChange::default()
            };
            assert_eq!(change.breaks_repeat(details), breaks, "{change:?}");
        }
    }
}
