//! The report of an import: for people, and as JSON.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, IntoInnerError, Seek as _, Write};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Deserialize, Serialize, Serializer};
use taskhold_application::import::{Counts, RejectedRow, Summary};
use taskhold_domain::user::UserId;
use taskhold_transfer::unknown::{Meaning, UnknownMembers};

use super::progress::Progress;
use crate::cli::Import;
use crate::new_file::NewFile;
use crate::output::{count, field, note, say};

/// How many rejected rows are printed; the file holds all.
const SHOWN: u64 = 20;

/// Collects rejected rows on the disk: there may be more than fit into memory.
pub struct Report {
    rejected: u64,
    /// A [`RejectedEntry`] after the other, as JSON.
    rows: BufWriter<File>,
    file: Option<(PathBuf, NewFile)>,
    source: String,
    is_dry_run: bool,
    left_out: UnknownMembers,
}

#[derive(Serialize, Deserialize)]
struct RejectedEntry {
    position: u64,
    id: Option<String>,
    reason: String,
}

#[derive(Serialize)]
struct Document<'a> {
    file: &'a str,
    dry_run: bool,
    #[serde(flatten)]
    total: Totals,
    rejected_rows: u64,
    owners: BTreeMap<&'a str, Totals>,
    new_users: Vec<&'a str>,
    unknown_members: Vec<UnknownMember<'a>>,
    further_unknown_members: u64,
    rejected: RejectedRows,
}

/// A member that was left out.
#[derive(Serialize)]
struct UnknownMember<'a> {
    name: &'a str,
    rows: u64,
    looks_like: Option<&'static str>,
}

#[derive(Serialize)]
struct Totals {
    imported: u64,
    already_there: u64,
    deleted_since: u64,
    duplicates_dropped: u64,
    verified: u64,
}

impl From<&Counts> for Totals {
    fn from(counts: &Counts) -> Self {
        Self {
            imported: counts.imported,
            already_there: counts.already_there,
            deleted_since: counts.deleted_since,
            duplicates_dropped: counts.duplicates,
            // A task that differs from its row undoes the import.
            verified: counts.imported,
        }
    }
}

impl<'a> UnknownMember<'a> {
    fn of((name, rows): (&'a str, u64)) -> Self {
        Self {
            name,
            rows,
            looks_like: Meaning::of(name).map(Meaning::as_str),
        }
    }
}

/// A file of rejected rows, which is serialized without holding them all in memory.
struct RejectedRows(File);

impl Serialize for RejectedRows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut elements = serializer.serialize_seq(None)?;
        let rows = serde_json::Deserializer::from_reader(BufReader::new(&self.0));
        for row in rows.into_iter::<RejectedEntry>() {
            elements.serialize_element(&row.map_err(S::Error::custom)?)?;
        }
        elements.end()
    }
}

impl Report {
    /// Begins a report. Fails, before anything is imported, if its file cannot be written. Removes an older report,
    /// which could be taken for that of an import that is refused.
    pub fn new(options: &Import) -> anyhow::Result<Self> {
        let file = options.report.as_ref().map(|path| {
            let canonical = |path: &PathBuf| path.canonicalize().ok();
            if canonical(path).is_some_and(|report| canonical(&options.file) == Some(report)) {
                bail!("--report: {} is the file to import", path.display());
            }
            let cannot_write = || format!("--report: cannot write {}", path.display());
            let file = NewFile::at(path).with_context(cannot_write)?;
            if path.exists() {
                std::fs::remove_file(path).with_context(cannot_write)?;
            }
            anyhow::Ok((path.clone(), file))
        });
        let rows = tempfile::tempfile().context("cannot make a temporary file")?;
        Ok(Self {
            rejected: 0,
            rows: BufWriter::new(rows),
            file: file.transpose()?,
            source: options.file.display().to_string(),
            is_dry_run: options.dry_run,
            left_out: UnknownMembers::default(),
        })
    }

    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// Takes the members that were left out.
    pub fn left_out(&mut self, members: UnknownMembers) {
        if !members.is_empty() {
            self.left_out = members;
        }
    }

    /// Fails if members were left out.
    pub fn refuse_left_out(&self) -> anyhow::Result<()> {
        if self.left_out.is_empty() {
            return Ok(());
        }
        self.warn();
        bail!(
            "nothing was imported, since --strict refuses members that Taskhold does not know: {}",
            self.left_out_lines().join(", ")
        )
    }

    fn left_out_lines(&self) -> Vec<String> {
        let names = self.left_out.iter();
        let mut lines: Vec<_> = names
            .map(|(name, rows)| format!("{} in {}", field(name), count(rows, "row")))
            .collect();
        if self.left_out.beyond() > 0 {
            lines.push(format!(
                "{} of further names",
                count(self.left_out.beyond(), "member")
            ));
        }
        lines
    }

    /// Warns of members that were left out although they seem to matter.
    fn warn(&self) {
        for (name, rows) in self.left_out.iter() {
            let (seems, known) = match Meaning::of(name) {
                Some(Meaning::Completion) => (
                    "whether a task is done",
                    "`completed`, which is true or false; without it a task is open",
                ),
                Some(Meaning::Owner) => (
                    "the owner of a task",
                    "`user_id`; without it a task belongs to --user",
                ),
                Some(Meaning::Date) => (
                    "a date",
                    "`created_at` and `updated_at`; it keeps no other dates",
                ),
                None => continue,
            };
            note(format_args!(
                "warning: {} ({}) looks like {seems} and is left out: Taskhold reads {known}",
                field(name),
                count(rows, "row")
            ));
        }
    }

    /// Adds a rejected row, and prints it above the progress if it is one of the first.
    pub fn reject(&mut self, rejected: &RejectedRow, progress: &Progress) -> anyhow::Result<()> {
        let row = RejectedEntry {
            position: rejected.position,
            id: rejected.id.clone(),
            reason: rejected.reason.to_string(),
        };
        if self.rejected < SHOWN {
            let id = field(row.id.as_deref().unwrap_or("-"));
            progress.note(format_args!(
                "row {} (id {id}): {}",
                row.position, row.reason
            ));
        }
        self.rejected += 1;
        serde_json::to_writer(&mut self.rows, &row).context("cannot write a temporary file")
    }

    /// Writes the file and prints the summary.
    pub fn write(mut self, summary: &Summary) -> anyhow::Result<()> {
        self.warn();
        let file = self.file.take();
        let rejected = self.rejected;
        let lines = self.lines(summary);
        if let Some((path, file)) = file {
            self.write_file(file, summary)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        if rejected > SHOWN {
            let more = rejected - SHOWN;
            note(format_args!(
                "and {}; --report FILE tells of all",
                count(more, "more row")
            ));
        }
        lines.into_iter().try_for_each(say)
    }

    fn lines(&self, summary: &Summary) -> Vec<String> {
        let (total, verified) = (&summary.total, summary.verified);
        let mut lines = Vec::new();
        if self.is_dry_run {
            lines.push("nothing was changed; without --dry-run it would be:".to_owned());
        }
        lines.push(format!(
            "{} imported, {} already there, {} deleted since, {} rejected, {} dropped, {verified} verified",
            total.imported,
            total.already_there,
            total.deleted_since,
            self.rejected,
            count(total.duplicates, "duplicate")
        ));
        lines.extend(summary.owners.iter().map(|(owner, counts)| {
            format!(
                "  {}{}: {} imported, {} already there, {} deleted since, {} dropped",
                field(owner.as_str()),
                if summary.created.contains(owner) {
                    " (a new user)"
                } else {
                    ""
                },
                counts.imported,
                counts.already_there,
                counts.deleted_since,
                count(counts.duplicates, "duplicate")
            )
        }));
        if !self.left_out.is_empty() {
            lines.push("left out, since Taskhold does not know them:".to_owned());
            lines.extend(self.left_out_lines().iter().map(|line| format!("  {line}")));
        }
        if total.deleted_since > 0 {
            lines.push(format!(
                "imported before and deleted since: {}; --again imports them again, as new tasks",
                count(total.deleted_since, "task")
            ));
        }
        lines
    }

    fn write_file(self, mut file: NewFile, summary: &Summary) -> anyhow::Result<()> {
        let left_out = self.left_out;
        let mut rows = self.rows.into_inner().map_err(IntoInnerError::into_error)?;
        rows.rewind()?;
        let owners = summary.owners.iter();
        let document = Document {
            file: &self.source,
            dry_run: self.is_dry_run,
            total: Totals {
                verified: summary.verified,
                ..(&summary.total).into()
            },
            rejected_rows: self.rejected,
            owners: owners
                .map(|(owner, counts)| (owner.as_str(), counts.into()))
                .collect(),
            new_users: summary.created.iter().map(UserId::as_str).collect(),
            unknown_members: left_out.iter().map(UnknownMember::of).collect(),
            further_unknown_members: left_out.beyond(),
            rejected: RejectedRows(rows),
        };
        let mut out = BufWriter::new(&mut file);
        serde_json::to_writer_pretty(&mut out, &document)?;
        out.write_all(b"\n")?;
        out.flush()?;
        drop(out);
        Ok(file.keep()?)
    }
}
