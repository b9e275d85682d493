//! JSON as the console writes it: indented by two spaces, with everything but printable ASCII escaped.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// Writes a value, without a line end.
pub fn write(value: &impl Serialize, target: &mut impl Write) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(target, Ascii(PrettyFormatter::new()));
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// Writes a value on one line, without a line end.
pub fn write_line(value: &impl Serialize, target: &mut impl Write) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(target, AsciiLine);
    value.serialize(&mut serializer).map_err(io::Error::from)
}

struct Ascii(PrettyFormatter<'static>);
struct AsciiLine;

/// Writes a part of a text, with all that is not printable ASCII as UTF-16 units.
fn escape<W: ?Sized + Write>(writer: &mut W, fragment: &str) -> io::Result<()> {
    let mut plain = 0;
    for (start, char) in fragment.char_indices() {
        if char.is_ascii() && char != '\u{7f}' {
            continue;
        }
        writer.write_all(fragment.get(plain..start).unwrap_or_default().as_bytes())?;
        for unit in char.encode_utf16(&mut [0; 2]) {
            write!(writer, "\\u{unit:04x}")?;
        }
        plain = start + char.len_utf8();
    }
    writer.write_all(fragment.get(plain..).unwrap_or_default().as_bytes())
}

impl Formatter for AsciiLine {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        escape(writer, fragment)
    }
}

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        escape(writer, fragment)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pretty(value: &serde_json::Value) -> String {
        let mut text = Vec::new();
        write(value, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn texts_are_ascii_as_python_writes_them() {
        let value = json!({ "title": "café 😀 \u{7f}\t\u{1}\"\\/", "empty": [] });
        let expected = "{\n  \"title\": \"caf\\u00e9 \\ud83d\\ude00 \\u007f\\t\\u0001\\\"\\\\/\",\n  \"empty\": []\n}";
        let mut members: Vec<_> = pretty(&value).lines().map(str::to_owned).collect();
        let mut wanted: Vec<_> = expected.lines().map(str::to_owned).collect();
        for lines in [&mut members, &mut wanted] {
            for line in lines.iter_mut() {
                *line = line.trim_end_matches(',').to_owned();
            }
            lines.sort();
        }
        assert_eq!(members, wanted);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&pretty(&value)).unwrap(),
            value
        );
    }

    #[test]
    fn a_line_has_no_line_end() {
        let mut line = Vec::new();
        write_line(&json!({ "a": ["ü\n"] }), &mut line).unwrap();
        assert_eq!(line, b"{\"a\":[\"\\u00fc\\n\"]}");
    }
}
