//! `taskhold import`.

mod progress;
mod report;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use taskhold_application::administration::Administration;
use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_application::ids::TimeOrderedIds;
use taskhold_application::import::ImportRepository as _;
use taskhold_application::import::{ImportOptions, Importer, NamedOwners, RejectedRow, Summary};
use taskhold_domain::account::Email;
use taskhold_domain::user::UserId;
use taskhold_transfer::Format;
use taskhold_transfer::batches::read_batches;

use self::progress::Progress;
use self::report::Report;
use crate::cli::Import;
use crate::migrate;
use crate::output::{field, note};
use crate::services;
use crate::settings::Settings;
use crate::user::{self, Named, named};

/// The exit status if rows were rejected and the others imported.
const EXIT_REJECTED: u8 = 3;
/// The rows that are read at once.
const BATCH: usize = 2_000;

/// Imports the file and reports what became of its rows. If this fails nothing has changed, unless the
/// error says otherwise: the report could not be written, or the store was lost during the commit.
pub async fn import(settings: &Settings, options: Import) -> anyhow::Result<ExitCode> {
    let name = options.file.display().to_string();
    let mut report = Report::new(&options)?;
    let (input, length) = open(&options.file).with_context(|| name.clone())?;
    if options.dry_run {
        settings.database.expect_current().await?;
    } else {
        migrate::ready(settings).await?;
    }
    let database = settings.database.connect_directly().await?;
    let administration = services::administration(settings, &database);
    let owner = owner(&administration, &options.user).await;
    let owner = owner.context("--user")?;
    let mut owners = HashMap::new();
    for (old, name) in options.map {
        let new = self::owner(&administration, &name).await;
        owners.insert(old, new.context("--map")?);
    }
    let run = database.begin_import().await;
    let run = run.context("cannot begin the import")?;
    let format = options.format.map(Format::from);
    let zone = options.timezone;
    let import_options = ImportOptions {
        owner,
        named_owners: NamedOwners::Named(owners),
        again: options.again,
        to_instant: Box::new(move |local| zone.instant(local.as_civil())),
    };
    let now = SystemClock.now();
    let mut importer = Importer::new(run, Arc::new(TimeOrderedIds), import_options, now);
    let mut progress = Progress::of(length);
    let mut batches = read_batches(progress.reader(input), format, BATCH);
    while let Some(batch) = batches.recv().await {
        let (rows, unknown) = batch.map_err(|error| anyhow!(error).context(name.clone()))?;
        report.left_out(unknown);
        progress.rows(rows.len());
        for rejected in importer.stage(rows).await? {
            report.reject(&rejected, &progress)?;
        }
    }
    if options.strict {
        report.refuse_left_out().context(name)?;
    }
    progress.importing();
    let (summary, late) = importer.import().await?;
    refuse_addresses(&administration, &summary).await?;
    if !options.dry_run {
        importer.commit().await?;
    }
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

/// Finds the user who is to own rows, or returns the id of a new one.
async fn owner(administration: &Administration, name: &str) -> anyhow::Result<UserId> {
    Ok(match user::find_or_new(administration, name).await? {
        Named::New(id) => id,
        Named::Known(user) => {
            if user.id.as_str() != name {
                note(format_args!("{} is {}", field(name), named(&user)));
            }
            user.id
        }
    })
}

/// Refuses a new user whose id is the address of an account: who logs in to the account would not see the tasks.
async fn refuse_addresses(
    administration: &Administration,
    summary: &Summary,
) -> anyhow::Result<()> {
    for owner in &summary.created {
        let Ok(email) = Email::parse(owner.as_str()) else {
            continue;
        };
        if let Some(user) = administration.users.find_by_email(&email).await? {
            let owner = field(owner.as_str());
            bail!(
                "nothing was imported: rows of the file belong to {owner}, which is the address of the user {}. \
                 --map {owner}=email:{owner} gives them to that account",
                named(&user)
            );
        }
    }
    Ok(())
}

/// Reports the late rejected rows and the summary. Returns how many rows were rejected.
fn finish_report(
    mut report: Report,
    progress: Progress,
    late: &[RejectedRow],
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
