//! Files of settings as text.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use super::Misconfigured;
use crate::own_file;

/// Reads a file that nobody named, which must be ours; `None` if it does not exist.
pub fn read_own(path: &Path) -> Result<Option<String>, Misconfigured> {
    let file = own_file::open(path)?;
    file.map(|file| decoded(file, path)).transpose()
}

/// Reads a file in a folder that was named; `None` if it does not exist.
pub fn read(path: &Path) -> Result<Option<String>, Misconfigured> {
    match File::open(path) {
        Ok(file) => decoded(file, path).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Misconfigured {
    Misconfigured(format!("{} cannot be read: {error}", path.display()))
}

/// Reads a file as UTF-8, with or without a byte order mark.
fn decoded(mut file: File, path: &Path) -> Result<String, Misconfigured> {
    let wrong = |what: String| Misconfigured(format!("{}{what}", path.display()));
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    if matches!(
        *bytes,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..]
    ) {
        return Err(wrong(" is UTF-16: save it as UTF-8".into()));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text
            .strip_prefix('\u{feff}')
            .map(str::to_owned)
            .unwrap_or(text)),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let before = error.as_bytes().iter().take(valid);
            let line = 1 + before.filter(|byte| **byte == b'\n').count();
            Err(wrong(format!(
                ", line {line}: it is not UTF-8; save it as UTF-8"
            )))
        }
    }
}
