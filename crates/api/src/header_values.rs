//! Header values that are made of elements and parameters (RFC 9110, section 5.6).

/// Splits a value at a separator outside of quoted strings, and trims the parts.
pub(crate) fn split(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = value.split(move |character| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match character {
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        character == separator && !is_quoted
    });
    parts.map(str::trim)
}

/// Parses `name=value`, where the value may be quoted.
pub(crate) fn parameter(part: &str) -> Option<(&str, String)> {
    let (name, value) = part.split_once('=')?;
    Some((name.trim(), unquote(value.trim())?))
}

/// Returns the text of a quoted string, or a text without quotes as it is; `None` for anything malformed.
pub(crate) fn unquote(value: &str) -> Option<String> {
    let Some(quoted) = value.strip_prefix('"') else {
        let is_plain = !value
            .contains(|character: char| "\"\\".contains(character) || character.is_whitespace());
        return is_plain.then(|| value.to_owned());
    };
    let mut text = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(text),
            '\\' => text.push(characters.next()?),
            character => text.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_quotes_do_not_split() {
        let parts: Vec<_> = split(r#"a; b="c;d" ;e="\";f""#, ';').collect();
        assert_eq!(parts, ["a", r#"b="c;d""#, r#"e="\";f""#]);
    }

    #[test]
    fn quoted_values_are_unquoted_and_malformed_ones_refused() {
        for (value, text) in [
            ("x", Some("x")),
            ("", Some("")),
            (r#""x y""#, Some("x y")),
            (r#""a\"\\b""#, Some("a\"\\b")),
            (r#""x"#, None),
            (r#"x""#, None),
            (r#""x"y"#, None),
            (r#""x\"#, None),
            ("x y", None),
        ] {
            assert_eq!(unquote(value).as_deref(), text, "{value}");
        }
    }
}
