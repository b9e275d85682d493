//! The JSON values of a file, one at a time: at most one row and a chunk of input are in memory.
//!
//! `serde_json` finds where each value ends and rejects what is not JSON. Only the commas between the
//! elements of an array are handled here: `serde_json::StreamDeserializer` reads values that are
//! separated by white space alone, and a `SeqAccess` cannot be pulled by an iterator, tell the column
//! in code points, or limit the size of an element.

use std::io::{self, BufRead};

use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::{FileError, Invalid, Location, row};
use crate::Format;

/// The largest row, in bytes. A task takes up to 2 KiB, or 6 KiB if escaped.
pub(super) const MAX_ROW: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

pub(super) struct Values<R> {
    input: Input<R>,
    layout: Layout,
    is_done: bool,
}

#[derive(Clone, Copy)]
enum Layout {
    Array { is_first: bool },
    Lines,
}

impl<R: BufRead> Values<R> {
    /// Detects the format by the first bytes, or checks that the file has the given one.
    pub(super) fn open(reader: R, format: Option<Format>) -> Result<Self, FileError> {
        let mut input = Input::new(reader)?;
        let layout = match (format, input.peek()?) {
            (None | Some(Format::Console), Some(b'[')) => {
                input.advance(1);
                Layout::Array { is_first: true }
            }
            (Some(Format::Ndjson), None | Some(b'{')) => Layout::Lines,
            (None, Some(b'{')) => {
                // The first line tells NDJSON from an object that fills the file.
                let line = input.find_line_end()?;
                if row::has_task_id(input.unread_to(line)) {
                    Layout::Lines
                } else {
                    return Err(input.invalid(Invalid::NoTasks));
                }
            }
            (_, None) => return Err(input.invalid(Invalid::Empty)),
            (None, Some(_)) => return Err(input.invalid(Invalid::NoTasks)),
            (Some(Format::Console), Some(_)) => return Err(input.invalid(Invalid::NoArray)),
            (Some(Format::Ndjson), Some(_)) => return Err(input.invalid(Invalid::NoLines)),
        };
        Ok(Self {
            input,
            layout,
            is_done: false,
        })
    }

    pub(super) fn format(&self) -> Format {
        match self.layout {
            Layout::Array { .. } => Format::Console,
            Layout::Lines => Format::Ndjson,
        }
    }

    /// Passes the next value to `read`; returns `None` at the end of the file and after an error.
    pub(super) fn next<T>(
        &mut self,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, FileError> {
        if self.is_done {
            return Ok(None);
        }
        let end = match self.layout {
            Layout::Array { is_first } => self.next_element(is_first),
            Layout::Lines => self.next_line(),
        };
        self.is_done = !matches!(end, Ok(Some(_)));
        Ok(end?.map(|end| {
            let value = read(self.input.unread_to(end));
            self.input.advance(end);
            value
        }))
    }

    fn next_element(&mut self, is_first: bool) -> Result<Option<usize>, FileError> {
        self.layout = Layout::Array { is_first: false };
        match self.input.peek()? {
            Some(b']') => {
                self.input.advance(1);
                return match self.input.peek()? {
                    None => Ok(None),
                    Some(_) => Err(self.input.not_json("trailing characters")),
                };
            }
            Some(b',') if !is_first => self.input.advance(1),
            Some(_) if !is_first => return Err(self.input.not_json("expected `,` or `]`")),
            _ => {}
        }
        match self.input.peek()? {
            Some(b',' | b']') => Err(self.input.not_json("expected value")),
            _ => self.input.find_value_end().map(Some),
        }
    }

    fn next_line(&mut self) -> Result<Option<usize>, FileError> {
        if self.input.peek()?.is_none() {
            return Ok(None);
        }
        let end = self.input.find_line_end()?;
        let line = self.input.unread_to(end);
        match serde_json::from_slice::<&RawValue>(line) {
            Ok(_) => Ok(Some(end)),
            Err(error) if error.is_eof() => Err(self.input.cut_short(line)),
            Err(error) => Err(self.input.syntax_error(line, &error)),
        }
    }
}

/// A buffered input that knows the location of the first unread byte.
struct Input<R> {
    reader: R,
    is_at_end: bool,
    buffer: Vec<u8>,
    consumed: usize,
    location: Location,
}

impl<R: BufRead> Input<R> {
    /// Skips the byte order mark, if there is one.
    fn new(reader: R) -> io::Result<Self> {
        let mut input = Self {
            reader,
            is_at_end: false,
            buffer: Vec::new(),
            consumed: 0,
            location: Location::START,
        };
        while input.buffer.len() < BYTE_ORDER_MARK.len() && input.fill()? {}
        if input.buffer.starts_with(BYTE_ORDER_MARK) {
            input.consumed = BYTE_ORDER_MARK.len();
        }
        Ok(input)
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.consumed..).unwrap_or_default()
    }

    fn unread_to(&self, end: usize) -> &[u8] {
        self.unread().get(..end).unwrap_or_default()
    }

    fn advance(&mut self, count: usize) {
        self.location = self.location.after(self.unread_to(count));
        self.consumed += count;
    }

    /// Doubles what is buffered, so that a long value is not scanned again for every chunk. Returns
    /// `false` at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        let before = self.buffer.len();
        loop {
            let chunk = self.reader.fill_buf()?;
            let length = chunk.len();
            self.buffer.extend_from_slice(chunk);
            self.reader.consume(length);
            self.is_at_end = length == 0;
            if self.is_at_end || self.buffer.len() >= 2 * before {
                return Ok(self.buffer.len() > before);
            }
        }
    }

    /// Skips white space and returns the next byte.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let unread = self.unread();
            let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
            let blanks = unread.iter().take_while(|byte| blank(byte)).count();
            let next = unread.get(blanks).copied();
            self.advance(blanks);
            if next.is_some() || !self.fill()? {
                return Ok(next);
            }
        }
    }

    /// Returns the length of the JSON value that begins here and is followed by something.
    fn find_value_end(&mut self) -> Result<usize, FileError> {
        loop {
            let unread = self.unread();
            let mut values = Deserializer::from_slice(unread).into_iter::<&RawValue>();
            match values.next() {
                Some(Ok(_)) if values.byte_offset() < unread.len() => {
                    return self.check_size(values.byte_offset());
                }
                Some(Err(error)) if !error.is_eof() => {
                    // An error in the last byte may only be due to the missing rest, as in `1e`.
                    let may_be_cut = offset(unread, &error) + 1 >= unread.len();
                    if !may_be_cut || self.is_at_end {
                        return Err(self.syntax_error(unread, &error));
                    }
                }
                _ if self.is_at_end => return Err(self.cut_short(unread)),
                _ => {}
            }
            self.check_size(unread.len())?;
            self.fill()?;
        }
    }

    /// Returns the length of the line that begins here, with its line feed.
    fn find_line_end(&mut self) -> Result<usize, FileError> {
        loop {
            let unread = self.unread();
            if let Some(line_feed) = unread.iter().position(|byte| *byte == b'\n') {
                return self.check_size(line_feed + 1);
            }
            let length = self.check_size(unread.len())?;
            if !self.fill()? {
                return Ok(length);
            }
        }
    }

    fn check_size(&self, length: usize) -> Result<usize, FileError> {
        if length > MAX_ROW {
            Err(self.invalid(Invalid::TooLarge))
        } else {
            Ok(length)
        }
    }

    fn invalid(&self, reason: Invalid) -> FileError {
        let location = self.location;
        FileError::Invalid { location, reason }
    }

    fn invalid_after(&self, text: &[u8], reason: Invalid) -> FileError {
        let location = self.location.after(text);
        FileError::Invalid { location, reason }
    }

    fn not_json(&self, what: &str) -> FileError {
        self.invalid(Invalid::NotJson(what.to_owned()))
    }

    /// The error of a `text` that begins here and ends too early.
    fn cut_short(&self, text: &[u8]) -> FileError {
        self.not_utf8(text, text.len())
            .unwrap_or_else(|| self.invalid_after(text, Invalid::CutShort))
    }

    /// The error of a `text` that begins here and is not JSON.
    fn syntax_error(&self, text: &[u8], error: &serde_json::Error) -> FileError {
        let offset = offset(text, error);
        let before = text.get(..offset).unwrap_or(text);
        self.not_utf8(text, offset)
            .unwrap_or_else(|| self.invalid_after(before, Invalid::NotJson(message(error))))
    }

    /// The error of a `text` that begins here, if a byte up to `last` is not UTF-8.
    fn not_utf8(&self, text: &[u8], last: usize) -> Option<FileError> {
        let error = std::str::from_utf8(text).err()?;
        // A character that is cut at the end has no length.
        error.error_len().filter(|_| error.valid_up_to() <= last)?;
        let before = text.get(..error.valid_up_to()).unwrap_or_default();
        Some(self.invalid_after(before, Invalid::NotUtf8))
    }
}

/// Returns the index of the byte in `text` that `error` names.
fn offset(text: &[u8], error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(error.line() - 1).map(<[u8]>::len).sum();
    before + error.column().saturating_sub(1)
}

/// Returns the text of `error` without the location, which `serde_json` counts in bytes from the
/// beginning of the value.
pub(super) fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next();
    message.unwrap_or_default().to_owned()
}
