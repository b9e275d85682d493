//! What became of the rows: for people, and as JSON.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Seek as _, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;
use taskhold_application::import::{Counts, Rejected, Summary};

use crate::cli::Import;
use crate::new_file::NewFile;

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
struct RejectedRow<'a> {
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

    /// Tells of a row, and keeps it for the file.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn reject(&mut self, rejected: &Rejected) -> anyhow::Result<()> {
        let (position, id) = (rejected.position, rejected.id.as_deref());
        let reason = rejected.reason.to_string();
        if self.rejected < SHOWN {
            eprintln!("row {position} (id {}): {reason}", id.unwrap_or("-"));
        }
        self.rejected += 1;
        let row = serde_json::to_string(&RejectedRow {
            position,
            id,
            reason,
        })?;
        let separator = if self.rejected == 1 { "" } else { ",\n" };
        write!(self.rows, "{separator}    {row}").context("cannot write a temporary file")
    }

    /// Says what became of all rows, and writes the file.
    ///
    /// # Errors
    /// Where the file cannot be written. The import is done by then.
    pub fn write(mut self, summary: &Summary) -> anyhow::Result<()> {
        if self.rejected > SHOWN {
            let more = self.rejected - SHOWN;
            eprintln!("and {more} more rows; --report FILE tells of all");
        }
        let Summary {
            owners,
            total,
            verified,
        } = summary;
        if self.is_rehearsal {
            println!("nothing was changed; without --dry-run it would be:");
        }
        println!(
            "{} imported, {} already there, {} deleted since, {} rejected, {} duplicates dropped, {verified} verified",
            total.imported,
            total.already_there,
            total.deleted_since,
            self.rejected,
            total.duplicates
        );
        for (owner, counts) in owners {
            println!(
                "  {owner}: {} imported, {} already there, {} deleted since, {} duplicates dropped",
                counts.imported, counts.already_there, counts.deleted_since, counts.duplicates
            );
        }
        let Some((path, mut file)) = self.file.take() else {
            return Ok(());
        };
        let totals = serde_json::to_string_pretty(&Totals {
            file: &self.source,
            dry_run: self.is_rehearsal,
            imported: total.imported,
            already_there: total.already_there,
            deleted_since: total.deleted_since,
            duplicates_dropped: total.duplicates,
            rejected_rows: self.rejected,
            verified: *verified,
            owners: owners
                .iter()
                .map(|(owner, counts)| (owner.as_str(), counts.into()))
                .collect(),
        })?;
        let written = (|| {
            let mut rows = self
                .rows
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)?;
            rows.rewind()?;
            let mut out = BufWriter::new(&mut file);
            let totals = totals.strip_suffix("\n}").unwrap_or(&totals);
            write!(out, "{totals},\n  \"rejected\": [\n")?;
            std::io::copy(&mut rows, &mut out)?;
            out.write_all(b"\n  ]\n}\n")?;
            out.flush()?;
            drop(out);
            file.keep()
        })();
        written.with_context(|| {
            format!(
                "the import is done, but its report {} cannot be written",
                path.display()
            )
        })
    }
}
