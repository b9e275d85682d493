//! The input of a JSON parser, which knows where its values begin.

use std::cell::RefCell;
use std::io::{self, BufRead, Read};

use super::{FileError, Invalid, Location};
use crate::row::message;

/// The largest row, in bytes. A task takes up to 2 KiB, or 6 KiB if escaped.
pub(super) const MAX_ROW: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A reader that keeps the bytes of the current value: `serde_json` counts columns in bytes, and does not
/// limit the size of a value.
pub(super) struct Source<R>(RefCell<State<R>>);

struct State<R> {
    input: R,
    /// Where the current value begins in the file.
    location: Location,
    /// Bytes from before the current value on.
    buffer: Vec<u8>,
    /// Where the current value begins in the buffer.
    begin: usize,
    /// The next byte for the parser.
    next: usize,
    is_closed: bool,
}

impl<R: BufRead> State<R> {
    /// Returns the next byte without reading it.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.next == self.buffer.len() && !self.is_closed {
            self.fill()?;
        }
        Ok(self.buffer.get(self.next).copied())
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.value().len() >= MAX_ROW {
            return Err(io::Error::other(Invalid::TooLarge));
        }
        self.buffer.drain(..self.begin);
        self.next -= self.begin;
        self.begin = 0;
        let chunk = self.input.fill_buf()?;
        let length = chunk.len();
        self.buffer.extend_from_slice(chunk);
        self.input.consume(length);
        Ok(length)
    }

    /// Returns what was read of the current value, and perhaps a byte after it.
    fn value(&self) -> &[u8] {
        self.buffer.get(self.begin..self.next).unwrap_or_default()
    }

    fn begin_value(&mut self) {
        self.location = self.location.after(self.value());
        self.begin = self.next;
    }
}

impl<R: BufRead> Source<R> {
    /// Skips the byte order mark, if there is one.
    pub(super) fn new(input: R) -> io::Result<Self> {
        let mut state = State {
            input,
            location: Location::START,
            buffer: Vec::new(),
            begin: 0,
            next: 0,
            is_closed: false,
        };
        while state.buffer.len() < BYTE_ORDER_MARK.len() && state.fill()? > 0 {}
        if state.buffer.starts_with(BYTE_ORDER_MARK) {
            (state.begin, state.next) = (BYTE_ORDER_MARK.len(), BYTE_ORDER_MARK.len());
        }
        Ok(Self(RefCell::new(state)))
    }

    /// Returns what the first bytes say the file is, if that is not UTF-8. Those of UTF-16 without a byte order mark
    /// are an ASCII character beside a NUL.
    pub(super) fn other_encoding(&self) -> Option<Invalid> {
        match *self.0.borrow().buffer {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, b'[' | b'{', ..] | [b'[' | b'{', 0, ..] => {
                Some(Invalid::Utf16)
            }
            [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                Some(Invalid::Compressed)
            }
            _ => None,
        }
    }

    /// Skips white space and returns the next byte without reading it.
    pub(super) fn peek(&self) -> io::Result<Option<u8>> {
        let mut state = self.0.borrow_mut();
        loop {
            match state.peek()? {
                Some(b' ' | b'\t' | b'\n' | b'\r') => state.next += 1,
                next => {
                    state.begin_value();
                    return Ok(next);
                }
            }
        }
    }

    /// Begins the next value after what was read.
    pub(super) fn begin_value(&self) {
        self.0.borrow_mut().begin_value();
    }

    /// Makes the input end here.
    pub(super) fn close(&self) {
        let state = &mut *self.0.borrow_mut();
        state.buffer.truncate(state.next);
        state.is_closed = true;
    }

    /// Returns the error of a file that is invalid because of the current value.
    pub(super) fn invalid(&self, reason: Invalid) -> FileError {
        let location = self.0.borrow().location;
        FileError::Invalid { location, reason }
    }

    /// Converts an error of the parser, which has read up to the byte in error.
    pub(super) fn parser_error(&self, error: serde_json::Error) -> FileError {
        let state = self.0.borrow();
        let value = state.value();
        let (valid, reason) = match std::str::from_utf8(value) {
            _ if value.len() >= MAX_ROW => (0, Invalid::TooLarge),
            _ if error.is_io() => return FileError::Io(error.into()),
            // A character that is cut short has no length.
            Err(byte) if byte.error_len().is_some() => (byte.valid_up_to(), Invalid::NotUtf8),
            _ if error.is_eof() => (value.len(), Invalid::CutShort),
            _ => {
                let last = value.len().saturating_sub(1);
                (last, Invalid::NotJson(message(&error)))
            }
        };
        let location = state.location.after(value.get(..valid).unwrap_or_default());
        FileError::Invalid { location, reason }
    }
}

impl<R: BufRead> Read for &Source<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        // The parser asks for one byte at a time.
        match (out.first_mut(), state.peek()?) {
            (Some(out), Some(byte)) => {
                *out = byte;
                state.next += 1;
                Ok(1)
            }
            _ => Ok(0),
        }
    }
}
