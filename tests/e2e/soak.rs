//! How long the tests go on that get better with time.

use std::env;

/// So many rounds in the ordinary suite, and so many in `make soak`.
pub fn rounds(ordinary: usize, soak: usize) -> usize {
    if env::var_os("TASKHOLD_TEST_SOAK").is_some_and(|value| value == "1") {
        soak
    } else {
        ordinary
    }
}
