//! Writing files of tasks.

use taskhold_domain::task::Task;
use taskhold_domain::zone::Zone;

use crate::Format;
use crate::row::{ConsoleTask, NativeTask};

/// Writes a file task by task, without holding it in memory.
#[derive(Debug)]
pub struct Writer {
    format: Format,
    zone: Zone,
    written: u64,
}

impl Writer {
    /// Begins a file. Times of the console's format are local times of `zone`; NDJSON is in UTC.
    #[must_use]
    pub fn new(format: Format, zone: Zone) -> Self {
        Self {
            format,
            zone,
            written: 0,
        }
    }

    /// Returns the text of the next task. Tasks must come in the order of their creation, which is
    /// that of the console's ids.
    ///
    /// # Errors
    /// None that is known: every task can be written as JSON.
    pub fn task(&mut self, task: &Task) -> serde_json::Result<String> {
        self.written += 1;
        match self.format {
            Format::Ndjson => {
                let line = serde_json::to_string(&NativeTask::from(task))?;
                Ok(line + "\n")
            }
            Format::Console => {
                let row = ConsoleTask::new(self.written, task, &self.zone);
                let object = serde_json::to_string_pretty(&row)?;
                let separator = if self.written == 1 { "[\n" } else { ",\n" };
                // Only the layout has line feeds: JSON escapes those of texts.
                let indented = object.replace('\n', "\n  ");
                Ok(format!("{separator}  {indented}"))
            }
        }
    }

    /// Returns the text that ends the file.
    #[must_use]
    pub fn end(&self) -> &'static str {
        match (self.format, self.written) {
            (Format::Ndjson, _) => "",
            (Format::Console, 0) => "[]",
            (Format::Console, _) => "\n]",
        }
    }
}
