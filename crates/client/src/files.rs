//! Export and import.

use std::time::Duration;

use reqwest::{Method, Response};
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::error::Error;

/// The longest that an import may take, with the upload of its file.
const IMPORT_TIMEOUT: Duration = Duration::from_mins(6);
/// After so long without a byte an export counts as broken.
const EXPORT_SILENCE: Duration = Duration::from_mins(1);

/// The format of an exported file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The file of the original command-line app (the *console*).
    Console,
    /// A complete task in each line, for another Taskhold.
    Ndjson,
}

/// A file that is being received. Dropped before its end, it is not complete.
#[derive(Debug)]
pub struct Export {
    response: Response,
    client: Client,
}

/// The result of an import, or of a dry run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportReport {
    /// `true` for a dry run: nothing was changed.
    pub dry_run: bool,
    /// The number of new tasks.
    pub imported: u64,
    /// The number of rows that were imported before.
    pub already_there: u64,
    /// The number of rows that were imported before and whose tasks were deleted since.
    pub deleted_since: u64,
    /// The number of rows that a later row of the file with the same id replaces.
    pub duplicates_dropped: u64,
    /// The number of rows that break a rule.
    pub rejected: u64,
    /// The first of these.
    pub rejections: Vec<Rejection>,
}

/// A row that was not imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The place of the row in the file, from 1.
    pub position: u64,
    /// The id of the row, if it has one.
    pub id: Option<String>,
    /// The rule that it breaks.
    pub reason: String,
}

impl Client {
    /// Starts to receive all tasks as a file. The times of [`Format::Console`] are those of the time zone of this name.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn export(&self, format: Format, timezone: &str) -> Result<Export, Error> {
        let format = match format {
            Format::Console => "console",
            Format::Ndjson => "ndjson",
        };
        let query = [
            ("format", format.to_owned()),
            ("timezone", timezone.to_owned()),
        ];
        let response = self
            .open(self.api(Method::GET, &["export"]).query(query))
            .await?;
        Ok(Export {
            response,
            client: self.clone(),
        })
    }

    /// Makes the tasks in a file the caller's: all valid rows or none. A file that was imported before changes nothing.
    /// The times of the console's file are those of the time zone of this name.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn import(
        &self,
        file: Vec<u8>,
        timezone: &str,
        dry_run: bool,
    ) -> Result<ImportReport, Error> {
        let query = [
            ("timezone", timezone.to_owned()),
            ("dry_run", dry_run.to_string()),
        ];
        let call = self.api(Method::POST, &["import"]).query(query);
        let call = call.body("application/json", file).timeout(IMPORT_TIMEOUT);
        let call = call.repeatable();
        self.read(call).await
    }
}

impl Export {
    /// Returns the next bytes of the file, or `None` at its end.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if it breaks off.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let chunk = tokio::time::timeout(EXPORT_SILENCE, self.response.chunk()).await;
        let Ok(chunk) = chunk else {
            return Err(self.client.silent());
        };
        let chunk = chunk.map_err(|error| self.client.unreachable(error))?;
        Ok(chunk.map(|bytes| bytes.to_vec()))
    }
}
