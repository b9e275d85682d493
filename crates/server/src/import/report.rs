//! The report of an import: for people, and as JSON.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, IntoInnerError, Seek as _, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Deserialize, Serialize, Serializer};
use taskhold_application::import::{Counts, RejectedRow, Summary};

use super::progress::Progress;
use crate::cli::Import;
use crate::new_file::NewFile;
use crate::output::{field, note, say};

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
    rejected: RejectedRows,
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
    /// Begins a report. Fails, before anything is imported, if its file cannot be written.
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
            is_dry_run: options.dry_run,
        })
    }

    pub fn rejected(&self) -> u64 {
        self.rejected
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
                "and {more} more rows; --report FILE tells of all"
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
            "{} imported, {} already there, {} deleted since, {} rejected, {} duplicates dropped, {verified} verified",
            total.imported,
            total.already_there,
            total.deleted_since,
            self.rejected,
            total.duplicates
        ));
        lines.extend(summary.owners.iter().map(|(owner, counts)| {
            format!(
                "  {owner}: {} imported, {} already there, {} deleted since, {} duplicates dropped",
                counts.imported, counts.already_there, counts.deleted_since, counts.duplicates
            )
        }));
        lines
    }

    fn write_file(self, mut file: NewFile, summary: &Summary) -> anyhow::Result<()> {
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
