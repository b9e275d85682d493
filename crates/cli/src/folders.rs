//! The folders in which the program keeps its files.

use std::fmt::Write as _;
use std::path::PathBuf;

use etcetera::BaseStrategy as _;

use crate::failure::{Failure, Kind};

/// The folders of a login.
#[derive(Debug, Clone)]
pub struct Folders {
    /// The login, with its token unless that is in the keyring.
    pub login: PathBuf,
    /// The ids that were shown and the writes whose outcome is not known: what must outlive the cache.
    pub state: PathBuf,
    /// The copy of the tasks, which can be read again.
    pub cache: PathBuf,
}

impl Folders {
    /// Returns the folders of the login of this name, by the XDG base directories. Nothing is created.
    pub fn of(name: &str) -> Result<Self, Failure> {
        let base = etcetera::choose_base_strategy().map_err(|_| {
            let message =
                "There is no home folder: set HOME, or TODO_URL and TODO_TOKEN to do without files";
            Failure::new(Kind::Local, message)
        })?;
        let name = file_name(name);
        let state = base.state_dir().unwrap_or_else(|| base.data_dir());
        Ok(Self {
            login: base
                .config_dir()
                .join("todo")
                .join("logins")
                .join(format!("{name}.json")),
            state: state.join("todo").join(&name),
            cache: base.cache_dir().join("todo").join(&name),
        })
    }
}

impl Folders {
    /// Returns folders in which nothing can be kept, for a computer without a home.
    pub fn nowhere() -> Self {
        let nowhere = PathBuf::from("/dev/null/todo");
        Self {
            login: nowhere.join("login"),
            state: nowhere.clone(),
            cache: nowhere,
        }
    }
}

/// Returns a name as the name of a file: whatever is not a letter, a digit, `-`, `_` or a dot within it is escaped, so
/// that no two names have one file.
fn file_name(name: &str) -> String {
    let mut file = String::new();
    for (index, byte) in name.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'@')
            || (byte == b'.' && index > 0);
        if is_plain {
            file.push(char::from(byte));
        } else {
            _ = write!(file, "%{byte:02x}");
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_lead_nowhere_else() {
        for (name, file) in [
            ("default", "default"),
            ("anna@example.org", "anna@example.org"),
            ("../x", "%2e.%2fx"),
            (".hidden", "%2ehidden"),
            ("ü", "%c3%bc"),
            ("a%2f", "a%252f"),
        ] {
            assert_eq!(file_name(name), file);
        }
    }
}
