//! Locations in a file.

use std::fmt;

/// A location in a text file. Both numbers count from 1; columns are code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

impl Location {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// Returns the location after `bytes`, which begin here.
    pub(super) fn after(mut self, bytes: &[u8]) -> Self {
        for byte in bytes {
            if *byte == b'\n' {
                self.line += 1;
                self.column = 1;
            } else if byte & 0xC0 != 0x80 {
                // Not a continuation byte of UTF-8.
                self.column += 1;
            }
        }
        self
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}
