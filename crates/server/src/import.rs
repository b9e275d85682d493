//! `taskhold import`.

mod progress;
mod report;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_application::exchange::{FileError, Kind, Row, Rows};
use taskhold_application::ids::TimeOrderedIds;
use taskhold_application::import::{Choices, Importer, Rejected, Summary};
use taskhold_infrastructure::import::SqlImport;
use tokio::sync::mpsc;

use self::progress::Progress;
use self::report::Report;
use crate::cli::{FileFormat, Import};
use crate::migrate;
use crate::settings::Settings;

/// The exit status if rows were rejected and the others imported.
const EXIT_REJECTED: u8 = 3;
/// How many rows are read at once, and how many such batches may wait.
const BATCH: usize = 2_000;
const BATCHES: usize = 2;
const BUFFER: usize = 1 << 16;

/// Imports the file and reports what became of its rows. If this fails nothing has changed, unless the
/// error says otherwise: the report could not be written, or the store was lost during the commit.
pub async fn import(settings: &Settings, options: Import) -> anyhow::Result<ExitCode> {
    let name = options.file.display().to_string();
    let (input, length) = open(&options.file).with_context(|| name.clone())?;
    let mut report = Report::new(&options)?;
    migrate::ready(settings).await?;
    let run = SqlImport::begin(settings.database.session().await?)
        .await
        .context("cannot begin the import")?;
    let kind = options.format.map(|format| match format {
        FileFormat::Console => Kind::Console,
        FileFormat::Ndjson => Kind::Lines,
    });
    let choices = Choices {
        owner: options.user,
        owners: options.map.into_iter().collect(),
        zone: options.timezone,
    };
    let now = SystemClock.now();
    let mut importer = Importer::new(Box::new(run), Arc::new(TimeOrderedIds), choices, now);
    let mut progress = Progress::of(length);
    let mut batches = read(progress.reader(input), kind);
    while let Some(batch) = batches.recv().await {
        let rows = batch.map_err(|error| anyhow!(error).context(name.clone()))?;
        progress.rows(rows.len());
        for rejected in importer.take(rows).await? {
            report.reject(&rejected, &progress)?;
        }
    }
    progress.importing();
    let mut late = Vec::new();
    let summary = importer
        .finish(options.dry_run, |rejected| late.push(rejected))
        .await?;
    let done = if options.dry_run {
        "the dry run"
    } else {
        "the import"
    };
    let rejected = finish_report(report, progress, &late, &summary)
        .with_context(|| format!("{done} is done, but its report cannot be written"))?;
    Ok(if rejected > 0 {
        ExitCode::from(EXIT_REJECTED)
    } else {
        ExitCode::SUCCESS
    })
}

/// Reports the late rejected rows and the summary. Returns how many rows were rejected.
fn finish_report(
    mut report: Report,
    progress: Progress,
    late: &[Rejected],
    summary: &Summary,
) -> anyhow::Result<u64> {
    for rejected in late {
        report.reject(rejected, &progress)?;
    }
    drop(progress);
    let rejected = report.rejected();
    report.write(summary)?;
    Ok(rejected)
}

/// Opens the file and returns its length, if it has one.
fn open(file: &Path) -> std::io::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if file == Path::new("-") {
        return Ok((Box::new(std::io::stdin()), None));
    }
    let file = File::open(file)?;
    let metadata = file.metadata()?;
    let length = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(file), length))
}

/// Reads batches of rows on a thread of its own, at most [`BATCHES`] ahead of the receiver.
fn read(
    input: impl Read + Send + 'static,
    kind: Option<Kind>,
) -> mpsc::Receiver<Result<Vec<Row>, FileError>> {
    let (sender, receiver) = mpsc::channel(BATCHES);
    // Not a thread of the runtime: waiting for input must not keep the program from ending.
    std::thread::spawn(move || {
        let rows = match Rows::of(BufReader::with_capacity(BUFFER, input), kind) {
            Ok(rows) => rows,
            Err(error) => return drop(sender.blocking_send(Err(error))),
        };
        let mut batch = Vec::with_capacity(BATCH);
        for row in rows {
            match row {
                Ok(row) => batch.push(row),
                Err(error) => return drop(sender.blocking_send(Err(error))),
            }
            if batch.len() == BATCH {
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                // The receiver is gone: the import has failed.
                if sender.blocking_send(Ok(full)).is_err() {
                    return;
                }
            }
        }
        drop(sender.blocking_send(Ok(batch)));
    });
    receiver
}
