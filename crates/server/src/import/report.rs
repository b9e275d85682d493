//! What became of the rows: for people, and as JSON.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;
use taskhold_application::import::{Counts, RejectedRow, Summary};

use super::progress::Progress;
use crate::cli::Import;
use crate::new_file::NewFile;
use crate::output::{note, say};

/// How many rejected rows are told one by one; the file tells all.
const SHOWN: u64 = 20;

/// Grows with the rejected rows, on the disk and not in memory.
pub struct Report {
    rejected: u64,
    rows: BufWriter<File>,
    file: Option<(PathBuf, NewFile)>,
    source: String,
    is_rehearsal: bool,
}

#[derive(Serialize)]
struct RejectedEntry<'a> {
    position: u64,
    id: Option<&'a str>,
    reason: String,
}

#[derive(Serialize)]
struct Totals<'a> {
    file: &'a str,
    dry_run: bool,
    imported: u64,
    already_there: u64,
    deleted_since: u64,
    duplicates_dropped: u64,
    rejected_rows: u64,
    verified: u64,
    owners: BTreeMap<&'a str, OwnerTotals>,
}

#[derive(Serialize)]
struct OwnerTotals {
    imported: u64,
    already_there: u64,
    deleted_since: u64,
    duplicates_dropped: u64,
    verified: u64,
}

impl From<&Counts> for OwnerTotals {
    fn from(counts: &Counts) -> Self {
        Self {
            imported: counts.imported,
            already_there: counts.already_there,
            deleted_since: counts.deleted_since,
            duplicates_dropped: counts.duplicates,
            // One that is not what the file says undoes the import.
            verified: counts.imported,
        }
    }
}

impl Report {
    /// An empty one. That it can be written shows before anything is imported.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn new(options: &Import) -> anyhow::Result<Self> {
        let file = options.report.as_ref().map(|path| {
            let file = NewFile::at(path)
                .with_context(|| format!("--report: cannot write {}", path.display()))?;
            anyhow::Ok((path.clone(), file))
        });
        let rows = tempfile::tempfile().context("cannot make a temporary file")?;
        Ok(Self {
            rejected: 0,
            rows: BufWriter::new(rows),
            file: file.transpose()?,
            source: options.file.display().to_string(),
            is_rehearsal: options.dry_run,
        })
    }

    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// Tells of a row beside the progress, and keeps it for the file.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn reject(&mut self, rejected: &RejectedRow, progress: &Progress) -> anyhow::Result<()> {
        let (position, id) = (rejected.position, rejected.id.as_deref());
        let reason = rejected.reason.to_string();
        if self.rejected < SHOWN {
            progress.note(format_args!(
                "row {position} (id {}): {reason}",
                id.unwrap_or("-")
            ));
        }
        self.rejected += 1;
        let row = serde_json::to_string(&RejectedEntry {
            position,
            id,
            reason,
        })?;
        let separator = if self.rejected == 1 { "" } else { ",\n" };
        write!(self.rows, "{separator}    {row}").context("cannot write a temporary file")
    }

    /// Writes the file, and says what became of all rows.
    ///
    /// # Errors
    /// Where either cannot be written.
    pub fn write(mut self, summary: &Summary) -> anyhow::Result<()> {
        let file = self.file.take();
        let rejected = self.rejected;
        let said = self.said(summary);
        if let Some((path, file)) = file {
            self.write_file(file, summary)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        if rejected > SHOWN {
            let more = rejected - SHOWN;
            note(format_args!(
                "and {more} more rows; --report FILE tells of all"
            ));
        }
        say(said)
    }

    /// The summary for people.
    fn said(&self, summary: &Summary) -> String {
        let Summary {
            owners,
            total,
            verified,
        } = summary;
        let mut lines = Vec::new();
        if self.is_rehearsal {
            lines.push("nothing was changed; without --dry-run it would be:".to_owned());
        }
        lines.push(format!(
            "{} imported, {} already there, {} deleted since, {} rejected, {} duplicates dropped, {verified} verified",
            total.imported,
            total.already_there,
            total.deleted_since,
            self.rejected,
            total.duplicates
        ));
        lines.extend(owners.iter().map(|(owner, counts)| {
            format!(
                "  {owner}: {} imported, {} already there, {} deleted since, {} duplicates dropped",
                counts.imported, counts.already_there, counts.deleted_since, counts.duplicates
            )
        }));
        lines.join("\n")
    }

    fn write_file(self, mut file: NewFile, summary: &Summary) -> anyhow::Result<()> {
        let totals = serde_json::to_string_pretty(&Totals {
            file: &self.source,
            dry_run: self.is_rehearsal,
            imported: summary.total.imported,
            already_there: summary.total.already_there,
            deleted_since: summary.total.deleted_since,
            duplicates_dropped: summary.total.duplicates,
            rejected_rows: self.rejected,
            verified: summary.verified,
            owners: summary
                .owners
                .iter()
                .map(|(owner, counts)| (owner.as_str(), counts.into()))
                .collect(),
        })?;
        let totals = totals.strip_suffix("\n}").unwrap_or(&totals);
        let mut rows = self
            .rows
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        rows.rewind()?;
        let mut out = BufWriter::new(&mut file);
        write!(out, "{totals},\n  \"rejected\": [\n")?;
        io::copy(&mut rows, &mut out)?;
        out.write_all(b"\n  ]\n}\n")?;
        out.flush()?;
        drop(out);
        Ok(file.keep()?)
    }
}
