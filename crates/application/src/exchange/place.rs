//! Places in a file.

use std::fmt;

/// A place in a text, both counted from 1, the column in code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

impl Place {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// The place after this byte.
    pub(super) fn advance(&mut self, byte: u8) {
        if byte == b'\n' {
            self.line += 1;
            self.column = 1;
        } else if byte & 0xC0 != 0x80 {
            // Not within a character.
            self.column += 1;
        }
    }

    pub(super) fn after(mut self, bytes: &[u8]) -> Self {
        for byte in bytes {
            self.advance(*byte);
        }
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}
