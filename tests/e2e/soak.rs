//! The number of rounds of tests that repeat something.

use std::env;

/// Returns `soak` if this is `make soak`, and `ordinary` otherwise.
pub fn rounds<T>(ordinary: T, soak: T) -> T {
    if is_soak() { soak } else { ordinary }
}

/// Returns whether this is `make soak`.
pub fn is_soak() -> bool {
    env::var_os("TASKHOLD_TEST_SOAK").is_some_and(|value| value == "1")
}
