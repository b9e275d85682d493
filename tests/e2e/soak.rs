//! How long the tests go on that get better with time.

use std::env;

/// So many rounds, or so long, in the ordinary suite, and so in `make soak`.
pub fn rounds<T>(ordinary: T, soak: T) -> T {
    if is_soak() { soak } else { ordinary }
}

/// Whether this is `make soak`.
pub fn is_soak() -> bool {
    env::var_os("TASKHOLD_TEST_SOAK").is_some_and(|value| value == "1")
}
