//! The parts of statements that append to the change log.

use sea_orm::{DbBackend, Iterable as _, Statement, Value};
use taskhold_domain::lower_case::lower_case;
use taskhold_domain::search::fold;
use taskhold_domain::task::change_log::{ChangeKind, ChangeStamp};
use taskhold_domain::task::{Completion, DetailsChange, TaskChange, TaskId};
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::Precondition;

use crate::entities::details::{NewMember, merge_patch, new_members};
use crate::entities::task::{Column, Searched, TaskRow, filtered, position};

/// The columns of `changes`.
pub(super) const LOG: &str = "changes (user_id, seq, task_id, kind, before, at, by)";

/// The text of a statement, and its values.
pub(super) struct Sql {
    pub(super) backend: DbBackend,
    values: Vec<Value>,
}

impl Sql {
    pub(super) fn new(backend: DbBackend) -> Self {
        Self {
            backend,
            values: Vec::new(),
        }
    }

    /// Adds a value and returns its placeholder. Both drivers know numbered ones.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    pub(super) fn statement(self, text: String) -> Statement {
        Statement::from_sql_and_values(self.backend, text, self.values)
    }

    /// Returns the condition for the row of this owner and id in a table with the columns of `tasks`.
    pub(super) fn owned(&mut self, table: &str, owner: &UserId, id: TaskId) -> String {
        let (id, owner) = (self.bind(id.as_uuid()), self.bind(owner.as_str()));
        format!("{table}.id = {id} AND {table}.user_id = {owner}")
    }

    /// Returns the condition for the task of this owner and id, if its revision is allowed.
    pub(super) fn allowed(
        &mut self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> String {
        let is_task = self.owned("tasks", owner, id);
        let Precondition::RevisionIn(revisions) = precondition else {
            return is_task;
        };
        let mut any = vec!["false".to_owned()];
        for revision in revisions {
            let version = self.bind(revision.version.get());
            let updated_at = self.bind(revision.updated_at.as_micros());
            any.push(format!(
                "(tasks.version = {version} AND tasks.updated_at = {updated_at})"
            ));
        }
        let any = any.join(" OR ");
        format!("{is_task} AND ({any})")
    }

    /// Returns the condition for the task of this owner and id, if its revision is allowed and it
    /// [allows](taskhold_domain::task::Task::allows) the change.
    pub(super) fn allowed_change(
        &mut self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
    ) -> String {
        let allowed = self.allowed(owner, id, precondition);
        let DetailsChange { due, repeat, .. } = &change.details;
        let rule_has_due = match (due, repeat) {
            (Some(None), Some(Some(_))) => " AND false".to_owned(),
            (Some(None), None) => format!(" AND {}", self.has_no("repeat")),
            (None, Some(Some(_))) => format!(" AND NOT {}", self.has_no("due")),
            _ => String::new(),
        };
        let needs_no_follow_up = match repeat {
            _ if !change.may_complete() => String::new(),
            None => format!(" AND (tasks.is_completed OR {})", self.has_no("repeat")),
            Some(None) => String::new(),
            Some(Some(_)) => " AND tasks.is_completed".to_owned(),
        };
        format!("{allowed}{rule_has_due}{needs_no_follow_up}")
    }

    /// Returns the condition that a task has the default of a detail.
    pub(super) fn has_no(&self, detail: &str) -> String {
        match self.backend {
            DbBackend::Sqlite => format!("((tasks.details -> '{detail}') IS NULL)"),
            _ => format!("((CAST(tasks.details AS jsonb) -> '{detail}') IS NULL)"),
        }
    }

    /// Returns the common table expressions `feed` and `numbered` for those of `target`, which has the columns
    /// `user_id` and `place`.
    pub(super) fn numbered(&self) -> String {
        let feed = self.feed(
            "SELECT user_id, count(*)",
            "FROM target GROUP BY user_id ORDER BY user_id",
        );
        format!(
            "feed AS ({feed} RETURNING user_id, seq), \
             numbered AS (SELECT target.*, feed.seq + 1 \
                - row_number() OVER (PARTITION BY target.user_id ORDER BY target.place DESC) AS seq \
                FROM target JOIN feed USING (user_id))"
        )
    }

    /// Returns the statement that takes numbers for the owners that a query finds, given the begin of the query
    /// with its columns for owner and count, and its rest. A user who was moved has a negative epoch: there is no next
    /// number, and the statement fails, whatever it was to write.
    pub(super) fn feed(&self, select: &str, from: &str) -> String {
        let epoch = random_epoch(self.backend);
        format!(
            "INSERT INTO feeds (user_id, seq, floor, epoch) {select}, 0, {epoch} {from} \
             ON CONFLICT (user_id) DO UPDATE \
             SET seq = CASE WHEN feeds.epoch > 0 THEN feeds.seq + excluded.seq END"
        )
    }

    /// Returns the end of a list of values in the log: when, and by whom.
    pub(super) fn stamp(&mut self, stamp: &ChangeStamp) -> String {
        let at = self.bind(stamp.at.as_micros());
        let by = self.bind(stamp.by.as_str());
        format!("{at}, {by}")
    }

    /// Returns the assignments of a change, and the JSON of the old values of the fields that it changes in the
    /// row `old`, and its kind. The change is made at `now`, a placeholder.
    pub(super) fn change(&mut self, change: &TaskChange, old: &str, now: &str) -> Change {
        let is_completion = change.is_completion();
        let TaskChange {
            title,
            description,
            completion,
            position: new_position,
            details,
        } = change;
        let texts = [
            title.as_ref().map(|title| {
                let columns = (Column::Title, Searched::TitleSearch, Searched::TitleFolded);
                (columns, title.as_str())
            }),
            description.as_ref().map(|description| {
                let (search, folded) = (Searched::DescriptionSearch, Searched::DescriptionFolded);
                ((Column::Description, search, folded), description.as_str())
            }),
        ];
        // The texts stay out of date if they are: this change need not contain both.
        let mut assignments = vec![", search_version = tasks.search_version + 1".to_owned()];
        let mut before = Vec::new();
        for ((column, search, folded), text) in texts.into_iter().flatten() {
            let (column, search, folded) = (name(&column), name(&search), name(&folded));
            let value = self.bind(text);
            let search_value = self.bind(fold(text));
            let folded_value = self.bind(lower_case(text));
            assignments.push(format!(
                ", {column} = {value}, {search} = {search_value}, {folded} = {folded_value}"
            ));
            before.push(format!(
                "'{column}', CASE WHEN {old}.{column} <> {value} THEN {old}.{column} END"
            ));
        }
        let mut kind = format!("'{}'", ChangeKind::Updated.as_str());
        if let Some(completion) = completion {
            let flag = format!("{old}.is_completed");
            let (value, time) = match completion {
                Completion::Set(completed) => (self.bind(*completed), None),
                Completion::Toggle => (format!("NOT {flag}"), None),
                Completion::At(time) => (self.bind(true), Some(self.bind(time.as_micros()))),
            };
            let json = match self.backend {
                DbBackend::Sqlite => {
                    format!("json(CASE WHEN {flag} THEN 'true' ELSE 'false' END)")
                }
                _ => flag.clone(),
            };
            // A toggle always changes the flag.
            let changed = match completion {
                Completion::Toggle => json,
                _ => format!("CASE WHEN {flag} <> {value} THEN {json} END"),
            };
            before.push(format!("'is_completed', {changed}"));
            before.push(old_completed_at(&value, &format!("{old}.completed_at")));
            let time = time.unwrap_or_else(|| completed_at(&value, now));
            assignments.push(format!(", is_completed = {value}, completed_at = {time}"));
            if is_completion {
                let (completed, reopened) = (
                    ChangeKind::Completed.as_str(),
                    ChangeKind::Reopened.as_str(),
                );
                kind = format!("CASE WHEN {value} THEN '{completed}' ELSE '{reopened}' END");
            }
        }
        if let Some(new) = new_position {
            let (value, old) = (self.bind(new.as_str()), position(old));
            assignments.push(format!(", moved_to = {value}"));
            before.push(format!(
                "'position', CASE WHEN {old} <> {value} THEN {old} END"
            ));
            if change.is_move() {
                kind = format!("'{}'", ChangeKind::Moved.as_str());
            }
        }
        for (column, value) in filtered(details) {
            assignments.push(format!(", {} = {}", name(&column), self.bind(value)));
        }
        let details = new_members(details);
        if !details.is_empty() {
            assignments.push(format!(", details = {}", self.merged_details(&details)));
            before.extend(details.iter().map(|member| self.old_detail(member, old)));
        }
        Change {
            assignments: assignments.concat(),
            before: self.json(&before),
            kind,
        }
    }

    /// Returns the document of details after a change.
    fn merged_details(&mut self, members: &[NewMember]) -> String {
        let patch = self.bind(merge_patch(members));
        let old = "coalesce(tasks.details, '{}')";
        let merged = match self.backend {
            DbBackend::Sqlite => format!("json_patch({old}, {patch})"),
            _ => format!(
                "CAST(jsonb_strip_nulls(CAST({old} AS jsonb) || CAST({patch} AS jsonb)) AS text)"
            ),
        };
        format!("nullif({merged}, '{{}}')")
    }

    /// Returns the name and the old value of a detail in the row `old`; NULL if it is not changed.
    fn old_detail(&mut self, member: &NewMember, old: &str) -> String {
        let NewMember {
            name,
            value,
            default,
        } = member;
        let (new, default) = (self.bind(value.to_string()), self.bind(default.to_string()));
        if self.backend == DbBackend::Sqlite {
            let old = format!("coalesce({old}.details -> '{name}', {default})");
            return format!("'{name}', CASE WHEN {old} <> {new} THEN json({old}) END");
        }
        let old =
            format!("coalesce(CAST({old}.details AS jsonb) -> '{name}', CAST({default} AS jsonb))");
        format!("'{name}', CASE WHEN {old} <> CAST({new} AS jsonb) THEN {old} END")
    }

    /// Returns the JSON object of those members that are not NULL, as text.
    pub(super) fn json(&self, members: &[String]) -> String {
        if members.is_empty() {
            return "'{}'".to_owned();
        }
        let members = members.join(", ");
        match self.backend {
            // A merge patch leaves out what is null.
            DbBackend::Sqlite => format!("json_patch('{{}}', json_object({members}))"),
            _ => format!("CAST(jsonb_strip_nulls(jsonb_build_object({members})) AS text)"),
        }
    }
}

/// Returns the expression for the epoch of a new log: a random number above 0.
pub(super) fn random_epoch(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "1 + CAST(random() * 9007199254740991 AS bigint)",
        _ => "1 + (random() & 9007199254740991)",
    }
}

/// The parts of a statement that changes a task.
pub(super) struct Change {
    pub(super) assignments: String,
    pub(super) before: String,
    pub(super) kind: String,
}

pub(super) fn name(column: &impl sea_orm::sea_query::Iden) -> String {
    column.unquoted().to_string()
}

/// Returns the columns of a task that are read, of `table`.
pub(in crate::repositories::tasks) fn read_columns(table: &str) -> String {
    let columns = TaskRow::COLUMNS.map(|column| format!("{table}.{}", name(&column)));
    columns.join(", ")
}

/// Returns every column of a task.
pub(super) fn all_columns() -> Vec<String> {
    let columns = Column::iter().map(|column| name(&column));
    columns
        .chain(Searched::iter().map(|column| name(&column)))
        .collect()
}

/// Returns when a task of `tasks` was completed, if it is completed (or not) at `now`.
pub(super) fn completed_at(completed: &str, now: &str) -> String {
    format!(
        "CASE WHEN {completed} THEN CASE WHEN tasks.is_completed THEN tasks.completed_at ELSE {now} END END"
    )
}

/// Returns the name and the old time of a completion; NULL if the task stays completed.
pub(super) fn old_completed_at(completed: &str, old: &str) -> String {
    format!("'completed_at', CASE WHEN NOT {completed} THEN {old} END")
}

/// Returns [`Timestamp::strictly_after`](taskhold_domain::timestamp::Timestamp::strictly_after) in SQL.
pub(super) fn strictly_after(last: &str, now: &str) -> String {
    format!("CASE WHEN {last} >= {now} THEN {last} + 1 ELSE {now} END")
}
