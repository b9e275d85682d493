//! JSON as the console writes it: indented by two spaces, with everything but printable ASCII escaped.

use std::fmt::Write as _;

use serde::Serialize;

/// Returns a value as JSON, without a line end.
pub fn pretty(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|json| ascii(&json))
}

/// Returns a value as JSON on one line, without a line end.
pub fn line(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value).map(|json| ascii(&json))
}

/// Escapes all characters that are not printable ASCII, as UTF-16 units. JSON has them in strings only, where control
/// characters but DEL are escaped already.
fn ascii(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for char in json.chars() {
        if char.is_ascii() && char != '\u{7f}' {
            escaped.push(char);
            continue;
        }
        for unit in char.encode_utf16(&mut [0; 2]) {
            _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn texts_are_ascii_as_python_writes_them() {
        let value = json!({ "title": "café 😀 \u{7f}\t\u{1}\"\\/" });
        let expected =
            "{\n  \"title\": \"caf\\u00e9 \\ud83d\\ude00 \\u007f\\t\\u0001\\\"\\\\/\"\n}";
        let written = pretty(&value).unwrap();
        assert_eq!(written, expected);
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        assert_eq!(
            pretty(&json!({ "tasks": [] })).unwrap(),
            "{\n  \"tasks\": []\n}"
        );
    }

    #[test]
    fn a_line_has_no_line_end() {
        let value = json!({ "a": ["ü\n"] });
        assert_eq!(line(&value).unwrap(), "{\"a\":[\"\\u00fc\\n\"]}");
    }
}
