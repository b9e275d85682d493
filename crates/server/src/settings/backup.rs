//! The settings of backups.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::values;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// The folder that they are made in.
    pub folder: PathBuf,
    /// How long after the last one the service makes another; `None` if it makes none.
    #[serde(
        rename = "every_minutes",
        deserialize_with = "values::optional_minutes"
    )]
    pub every: Option<Duration>,
}
