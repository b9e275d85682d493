//! The version of the program.

use std::sync::LazyLock;

use taskhold_domain::zone::database_version;

/// The text of `--version` after the name; `-V` prints only the first line.
pub static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{}\ncommit {}\ntime zone database {}",
        env!("CARGO_PKG_VERSION"),
        option_env!("TASKHOLD_COMMIT").unwrap_or("unknown"),
        database_version()
    )
});
