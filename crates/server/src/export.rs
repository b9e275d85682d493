//! `taskhold export`.

use std::io::{BufWriter, IsTerminal as _, Write, stdout};

use anyhow::Context as _;
use taskhold_application::tasks::TaskService;
use taskhold_domain::user::UserId;
use taskhold_transfer::writer::Writer;

use crate::cli::Export;
use crate::new_file::NewFile;
use crate::output::{TerminalDocument, note};
use crate::services;
use crate::settings::Settings;
use crate::user::{self, named};

/// Writes the tasks to the file, or to standard output. If this fails there is no file, or standard output
/// is cut short.
pub async fn export(settings: &Settings, options: &Export) -> anyhow::Result<()> {
    let store = settings.database.connect_to_read().await?;
    let administration = services::administration(settings, &store);
    let user = user::find(&administration, &options.user).await;
    let user = user.context("--user")?;
    note(format_args!("these are the tasks of {}", named(&user)));
    let mut file = match &options.output {
        None => None,
        Some(path) => Some(
            NewFile::at(path)
                .with_context(|| format!("--output: cannot write {}", path.display()))?,
        ),
    };
    let tasks = services::tasks(settings, services::task_ports(settings, &store));
    match &mut file {
        None if stdout().is_terminal() => {
            write(&tasks, &user.id, options, TerminalDocument(stdout().lock())).await?;
        }
        None => write(&tasks, &user.id, options, stdout().lock()).await?,
        Some(file) => write(&tasks, &user.id, options, file).await?,
    }
    if let Some(file) = file {
        file.keep().context("cannot keep the file")?;
    }
    store.close().await;
    Ok(())
}

async fn write(
    tasks: &TaskService,
    user: &UserId,
    options: &Export,
    out: impl Write,
) -> anyhow::Result<()> {
    let mut writer = Writer::new(options.format.into(), options.timezone.clone());
    let mut out = BufWriter::new(out);
    let mut from = None;
    loop {
        let page = tasks
            .export_page(user, from)
            .await
            .context("cannot read the tasks")?;
        for task in &page.tasks {
            let text = writer.task(task)?;
            out.write_all(text.as_bytes())
                .context("cannot write the tasks")?;
        }
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    out.write_all(writer.end().as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write the tasks")
}
