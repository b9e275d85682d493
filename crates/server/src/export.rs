//! `taskhold export`.

use std::io::{BufWriter, Write as _};

use anyhow::Context as _;
use taskhold_application::exchange::written::{Format, Writing};

use crate::cli::{Export, FileFormat};
use crate::services;
use crate::settings::Settings;

/// Writes the tasks to standard output.
///
/// # Errors
/// Whatever kept it from being done; what was written is cut short then.
pub async fn export(settings: &Settings, options: &Export) -> anyhow::Result<()> {
    let store = settings.database.store().await?;
    let format = match options.format {
        FileFormat::Console => Format::Console(options.timezone),
        FileFormat::Ndjson => Format::Lines,
    };
    let tasks = services::tasks(settings, &store);
    let mut writing = Writing::new(format);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut from = None;
    loop {
        let page = tasks
            .oldest_first(&options.user, from)
            .await
            .context("cannot read the tasks")?;
        for task in &page.tasks {
            let text = writing.task(task)?;
            out.write_all(text.as_bytes())
                .context("cannot write the tasks")?;
        }
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    out.write_all(writing.end().as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write the tasks")?;
    drop(out);
    store.close().await;
    Ok(())
}
