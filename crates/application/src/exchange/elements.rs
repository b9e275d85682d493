//! The elements of an array, or the values of lines, one after the other: as much of a file as one
//! of them is in memory at a time. Where an element ends is all that is found out here; whether it is
//! JSON is for the parser to say.

use std::io::BufRead;

use serde::de::IgnoredAny;

use super::{Fault, FileError, Kind, Place};

/// The largest row, in bytes: a task is 2 KiB, escaped 6 KiB.
pub(super) const MAX_ROW: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

pub(super) struct Elements<R> {
    input: R,
    place: Place,
    layout: Layout,
    element: Vec<u8>,
    done: bool,
}

#[derive(Clone, Copy)]
enum Layout {
    Array {
        started: bool,
    },
    /// The first line was read already, and began here.
    Lines {
        first: Option<Place>,
    },
}

impl<R: BufRead> Elements<R> {
    pub(super) fn of(input: R, kind: Option<Kind>) -> Result<Self, FileError> {
        let mut elements = Self {
            input,
            place: Place::START,
            layout: Layout::Lines { first: None },
            element: Vec::new(),
            done: false,
        };
        elements.skip_mark()?;
        match (kind, elements.skip_blanks()?) {
            (None | Some(Kind::Console), Some(b'[')) => {
                elements.take()?;
                elements.layout = Layout::Array { started: false };
                Ok(elements)
            }
            (Some(Kind::Lines), None | Some(b'{')) => Ok(elements),
            (None, Some(b'{')) => {
                let start = elements.place;
                elements.read_line()?;
                // The first line tells a file of lines from an object that fills the file.
                if super::row::has_id(&elements.element) {
                    elements.layout = Layout::Lines { first: Some(start) };
                    Ok(elements)
                } else {
                    Err(fault(start, Fault::NoTasks))
                }
            }
            (_, None) => Err(fault(elements.place, Fault::Empty)),
            (None, Some(_)) => Err(fault(elements.place, Fault::NoTasks)),
            (Some(Kind::Console), Some(_)) => Err(fault(elements.place, Fault::NoArray)),
            (Some(Kind::Lines), Some(_)) => Err(fault(elements.place, Fault::NoLines)),
        }
    }

    pub(super) fn is_array(&self) -> bool {
        matches!(self.layout, Layout::Array { .. })
    }

    /// The bytes of the next element, which are JSON.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, FileError> {
        if self.done {
            return Ok(None);
        }
        let found = match self.layout {
            Layout::Array { started } => self.next_of_array(started),
            Layout::Lines { first } => self.next_line(first),
        };
        // After an error nothing more is read.
        self.done = !matches!(found, Ok(true));
        Ok(found?.then_some(self.element.as_slice()))
    }

    fn next_of_array(&mut self, started: bool) -> Result<bool, FileError> {
        let mut next = self.skip_blanks()?;
        if started && next == Some(b',') {
            self.take()?;
            next = self.skip_blanks()?;
        } else if next == Some(b']') {
            self.take()?;
            return match self.skip_blanks()? {
                None => Ok(false),
                Some(_) => Err(self.not_json("something follows the array")),
            };
        } else if started && next.is_some() {
            return Err(self.not_json("a comma or ] was to come"));
        }
        self.layout = Layout::Array { started: true };
        match next {
            None => Err(fault(self.place, Fault::CutShort)),
            Some(b',' | b']') => Err(self.not_json("a value was to come")),
            Some(_) => {
                let start = self.place;
                self.read_value(start)?;
                check(&self.element, start)?;
                Ok(true)
            }
        }
    }

    /// Reads up to where the value ends, if it is JSON.
    fn read_value(&mut self, start: Place) -> Result<(), FileError> {
        self.element.clear();
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Err(self.cut_short(start));
            }
            let mut taken = 0;
            let mut ended = false;
            for &byte in chunk {
                if in_string {
                    match byte {
                        _ if escaped => escaped = false,
                        b'\\' => escaped = true,
                        b'"' => in_string = false,
                        _ => {}
                    }
                } else {
                    match byte {
                        b'"' => in_string = true,
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' | b',' if depth == 0 => ended = true,
                        b'}' | b']' => depth -= 1,
                        _ => {}
                    }
                }
                if ended {
                    break;
                }
                self.place.advance(byte);
                self.element.push(byte);
                taken += 1;
            }
            self.input.consume(taken);
            if self.element.len() > MAX_ROW {
                return Err(fault(self.place, Fault::TooLarge));
            }
            if ended {
                return Ok(());
            }
        }
    }

    /// Within a value: what is wrong with it already, or that it ends too early.
    fn cut_short(&self, start: Place) -> FileError {
        match std::str::from_utf8(&self.element) {
            Err(error) if error.error_len().is_some() => {
                let bytes = self.element.get(..error.valid_up_to()).unwrap_or_default();
                fault(start.after(bytes), Fault::NotUtf8)
            }
            _ => fault(self.place, Fault::CutShort),
        }
    }

    fn next_line(&mut self, first: Option<Place>) -> Result<bool, FileError> {
        self.layout = Layout::Lines { first: None };
        let start = match first {
            Some(start) => start,
            None if self.skip_blanks()?.is_none() => return Ok(false),
            None => {
                let start = self.place;
                self.read_line()?;
                start
            }
        };
        check(&self.element, start)?;
        Ok(true)
    }

    fn read_line(&mut self) -> Result<(), FileError> {
        self.element.clear();
        loop {
            let chunk = self.input.fill_buf()?;
            let line = chunk.split_inclusive(|byte| *byte == b'\n').next();
            let Some(part) = line else { return Ok(()) };
            self.element.extend_from_slice(part);
            let (taken, ended) = (part.len(), part.ends_with(b"\n"));
            self.place = self.place.after(part);
            self.input.consume(taken);
            if self.element.len() > MAX_ROW {
                return Err(fault(self.place, Fault::TooLarge));
            }
            if ended {
                return Ok(());
            }
        }
    }

    fn skip_mark(&mut self) -> Result<(), FileError> {
        // The mark may come in parts.
        for (index, byte) in BYTE_ORDER_MARK.iter().enumerate() {
            if self.peek()? != Some(*byte) {
                return if index == 0 {
                    Ok(())
                } else {
                    Err(fault(self.place, Fault::NotUtf8))
                };
            }
            self.input.consume(1);
        }
        Ok(())
    }

    /// The next byte that is no blank, which is left where it is.
    fn skip_blanks(&mut self) -> Result<Option<u8>, FileError> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.take()?,
                other => return Ok(other),
            }
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, FileError> {
        Ok(self.input.fill_buf()?.first().copied())
    }

    fn take(&mut self) -> Result<(), FileError> {
        if let Some(byte) = self.peek()? {
            self.place.advance(byte);
            self.input.consume(1);
        }
        Ok(())
    }

    fn not_json(&self, what: &str) -> FileError {
        fault(self.place, Fault::NotJson(what.to_owned()))
    }
}

fn fault(place: Place, fault: Fault) -> FileError {
    FileError::Fault { place, fault }
}

/// Whether it is one value of JSON in UTF-8, whatever it says.
fn check(element: &[u8], start: Place) -> Result<(), FileError> {
    if let Err(error) = std::str::from_utf8(element) {
        let sound = element.get(..error.valid_up_to()).unwrap_or_default();
        return Err(fault(start.after(sound), Fault::NotUtf8));
    }
    let Err(error) = serde_json::from_slice::<IgnoredAny>(element) else {
        return Ok(());
    };
    // The parser counts from the beginning of the element, and bytes.
    let before = element
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum::<usize>();
    let end = before + error.column().saturating_sub(1);
    if error.is_eof() {
        return Err(fault(start.after(element), Fault::CutShort));
    }
    let place = start.after(element.get(..end).unwrap_or(element));
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    Err(fault(place, Fault::NotJson(what.to_owned())))
}
