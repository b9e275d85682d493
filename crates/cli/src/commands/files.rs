//! `todo export` and `todo import`.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use taskhold_client::files::{self, ImportReport};
use tempfile::NamedTempFile;

use crate::arguments::{Export, Format, Import};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::workspace::Workspace;

/// The most bytes of a file that the service takes.
const MAX_IMPORT: u64 = 16 * 1024 * 1024;

/// Writes all tasks to a file, which appears only when it is complete, or to the standard output.
pub async fn export(
    workspace: &mut Workspace,
    arguments: &Export,
    output: &mut Output,
) -> Result<(), Failure> {
    let format = match arguments.format {
        Format::Console => files::Format::Console,
        Format::Ndjson => files::Format::Ndjson,
    };
    let mut export = workspace
        .client
        .export(format, workspace.zone.name())
        .await?;
    let file = arguments
        .file
        .as_ref()
        .filter(|path| path.as_os_str() != "-");
    let Some(path) = file else {
        while let Some(bytes) = export.chunk().await? {
            output.bytes(&bytes)?;
        }
        return Ok(());
    };
    let what = format!("cannot write {}", path.display());
    let failed = |error: &io::Error| Failure::local(&what, error);
    if path.exists() {
        return Err(Failure::new(
            Kind::Local,
            format!("{} exists already", path.display()),
        ));
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
    let mut file = file.map_err(|error| failed(&error))?;
    let mut size = 0;
    while let Some(bytes) = export.chunk().await? {
        size += bytes.len();
        file.write_all(&bytes).map_err(|error| failed(&error))?;
    }
    file.as_file().sync_all().map_err(|error| failed(&error))?;
    file.persist_noclobber(path)
        .map_err(|error| failed(&error.error))?;
    if output.is_json() {
        let done = serde_json::json!({ "success": true, "file": path.display().to_string(), "bytes": size });
        return Ok(output.json(&done)?);
    }
    Ok(output.line(&format!("All tasks written to {}", path.display()))?)
}

/// Makes the tasks in a file the user's.
pub async fn import(
    workspace: &mut Workspace,
    arguments: &Import,
    output: &mut Output,
) -> Result<(), Failure> {
    let what = format!("cannot read {}", arguments.file.display());
    let file = read(&arguments.file).map_err(|error| Failure::local(&what, &error))?;
    if file.len() as u64 > MAX_IMPORT {
        let limit = MAX_IMPORT / 1024 / 1024;
        let message = format!(
            "{} has more than {limit} MiB, which is the most",
            arguments.file.display()
        );
        return Err(Failure::new(Kind::BrokenRule, message));
    }
    let report = workspace
        .client
        .import(file, workspace.zone.name(), arguments.dry_run)
        .await?;
    print_report(&report, output)?;
    if report.rejected == 0 {
        return Ok(());
    }
    if output.is_json() {
        // The report has them.
        return Err(Failure::Told(Kind::BrokenRule));
    }
    let message = match report.rejected {
        1 => "1 row breaks a rule".to_owned(),
        count => format!("{count} rows break a rule"),
    };
    Err(Failure::new(Kind::BrokenRule, message))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    // One more byte than allowed is enough to refuse the file.
    if path.as_os_str() == "-" {
        io::stdin()
            .lock()
            .take(MAX_IMPORT + 1)
            .read_to_end(&mut contents)?;
    } else {
        fs::File::open(path)?
            .take(MAX_IMPORT + 1)
            .read_to_end(&mut contents)?;
    }
    Ok(contents)
}

fn print_report(report: &ImportReport, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return Ok(output.json(report)?);
    }
    let verb = if report.dry_run {
        "would be imported"
    } else {
        "imported"
    };
    output.line(&format!(
        "{} {verb}, {} there already",
        report.imported, report.already_there
    ))?;
    for (count, what) in [
        (report.deleted_since, "deleted since an earlier import"),
        (
            report.duplicates_dropped,
            "replaced by a later row of the same id",
        ),
    ] {
        if count > 0 {
            output.line(&format!("{count} {what}"))?;
        }
    }
    for rejection in &report.rejections {
        output.line(&format!("Row {}: {}", rejection.position, rejection.reason))?;
    }
    Ok(())
}
