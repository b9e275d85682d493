//! The file `.env`, of which each value is what systemd and python-dotenv both make of it. A value that they read
//! differently, such as one with a comment after it, is refused: no value is changed unnoticed. No crate refuses it:
//! each has a dialect of its own, in which a `$` or a `#` can silently cut a password short.

use std::collections::HashMap;

/// The doubt about a value in which another program replaces a variable.
const REPLACED: &str = "has ${, and no variable is replaced here: put it in single quotes if it is meant, or write the value";
/// The characters that may stand around a name and a value.
const BLANKS: [char; 2] = [' ', '\t'];

/// A line that is no variable, or whose value has two meanings. The text never repeats the value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Malformed {
    line: usize,
    reason: String,
}

/// Reads the variables that `is_ours` names. Of others only the ends of their values matter.
pub fn parse(
    text: &str,
    is_ours: impl Fn(&str) -> bool,
) -> Result<HashMap<String, String>, Malformed> {
    let mut variables = HashMap::new();
    let mut lines = HashMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let read = text.get(..text.len() - rest.len()).unwrap_or_default();
        let line = 1 + read.matches('\n').count();
        let malformed = |reason: String| Malformed { line, reason };
        let (current, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let current = current.trim_matches([' ', '\t', '\r']);
        if current.is_empty() || current.starts_with('#') {
            rest = after;
            continue;
        }
        let (name, _) = current.split_once('=').ok_or_else(|| {
            malformed("it has no =; a line is NAME=VALUE or begins with #".into())
        })?;
        let name = name
            .strip_prefix("export")
            .filter(|name| name.starts_with(BLANKS))
            .unwrap_or(name)
            .trim_matches(BLANKS);
        if !is_name(name) {
            let reason =
                "what stands before the = is no name of a variable: only letters, digits and _ are";
            return Err(malformed(reason.into()));
        }
        let (_, assigned) = rest.split_once('=').unwrap_or_default();
        let value = Value::read(assigned).ok_or_else(|| {
            malformed(format!(
                "the quote before the value of {name} is not closed"
            ))
        })?;
        rest = value.after;
        if !is_ours(name) {
            continue;
        }
        if let Some(doubt) = value.doubt {
            return Err(malformed(format!("the value of {name} {doubt}")));
        }
        if let Some(first) = lines.insert(name, line) {
            let reason =
                format!("{name} is set a second time, after line {first}: remove one of the two");
            return Err(malformed(reason));
        }
        variables.insert(name.to_owned(), value.text);
    }
    Ok(variables)
}

fn is_name(name: &str) -> bool {
    let is_first = |char: char| char.is_ascii_alphabetic() || char == '_';
    name.starts_with(is_first)
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "_.-".contains(char))
}

/// A value, and the text after its line.
struct Value<'a> {
    text: String,
    after: &'a str,
    /// Why other programs would read it differently.
    doubt: Option<&'static str>,
}

impl<'a> Value<'a> {
    /// Reads what stands after the `=`; `None` if a quote is not closed.
    fn read(assigned: &'a str) -> Option<Self> {
        let begun = assigned.trim_start_matches(BLANKS);
        let mut value = match begun.chars().next() {
            Some(quote @ ('\'' | '"')) => Self::quoted(begun.get(1..)?, quote)?,
            _ => Self::bare(begun, begun.len() < assigned.len()),
        };
        let is_strange = |char: char| char.is_control() && !['\n', '\t'].contains(&char);
        if value.text.contains(is_strange) {
            value.doubt = Some("has a control character");
        }
        Some(value)
    }

    fn bare(begun: &'a str, is_after_blank: bool) -> Self {
        let (line, after) = begun.split_once('\n').unwrap_or((begun, ""));
        let text = line
            .strip_suffix('\r')
            .unwrap_or(line)
            .trim_end_matches(BLANKS);
        let has_comment = text.starts_with('#') && is_after_blank
            || BLANKS
                .iter()
                .any(|blank| text.contains(&format!("{blank}#")));
        let doubt = if has_comment {
            Some(
                "has a # after a space: put the value in single quotes, or the comment on a line of its own",
            )
        } else if text.contains('\\') {
            Some("has a \\: put it in single quotes")
        } else if text.contains("${") {
            Some(REPLACED)
        } else {
            None
        };
        Self {
            text: text.to_owned(),
            after,
            doubt,
        }
    }

    fn quoted(begun: &'a str, quote: char) -> Option<Self> {
        let (mut text, mut doubt) = (String::new(), None);
        let mut chars = begun.chars();
        loop {
            match chars.next()? {
                char if char == quote => break,
                '\\' => {
                    let next = chars.next()?;
                    match (quote, next) {
                        ('"', '"' | '\\') => {}
                        ('\'', _) if ![quote, '\\'].contains(&next) => text.push('\\'),
                        _ => {
                            doubt = Some(
                                "has a \\ that programs read differently: put it in single quotes, with neither ' nor \\ after it",
                            );
                        }
                    }
                    text.push(next);
                }
                char => text.push(char),
            }
        }
        if quote == '"' && text.contains("${") {
            doubt = Some(REPLACED);
        }
        let (tail, after) = chars
            .as_str()
            .split_once('\n')
            .unwrap_or((chars.as_str(), ""));
        if !tail.trim_matches([' ', '\t', '\r']).is_empty() {
            doubt = Some(
                "goes on after its closing quote: put all of it in quotes, or the comment on a line of its own",
            );
        }
        Some(Self { text, after, doubt })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<HashMap<String, String>, String> {
        parse(text, |name| name.starts_with('A')).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_taken_as_systemd_and_python_dotenv_both_take_them() {
        for (line, value) in [
            ("A=b", "b"),
            ("A=", ""),
            (" A = b c \t", "b c"),
            ("export A=b", "b"),
            ("A=b\r", "b"),
            ("A=$HOME/$1$$", "$HOME/$1$$"),
            ("A='${HOME}'", "${HOME}"),
            ("A=b#c=d", "b#c=d"),
            ("A=#b", "#b"),
            ("A='b # c'", "b # c"),
            ("A=\"b # c\" ", "b # c"),
            ("A=it's \"so\"", "it's \"so\""),
            ("A='b\\d'", "b\\d"),
            ("A=\"b\\\"c\\\\\"", "b\"c\\"),
            ("A=\"b\nc\"", "b\nc"),
            ("A=`b`", "`b`"),
            ("A=Grün\u{a0}", "Grün\u{a0}"),
        ] {
            let expected = HashMap::from([("A".to_owned(), value.to_owned())]);
            assert_eq!(read(line), Ok(expected.clone()), "{line}");
            let others = format!("# first\r\n\nB='x' # y\nB=\"\\n\"z\n{line}\nC=\\\n");
            assert_eq!(read(&others), Ok(expected), "{line}");
        }
    }

    #[test]
    fn lines_with_two_meanings_are_refused_with_their_number() {
        for wrong in [
            "A",
            "A: b",
            "A B=c",
            "1A=b",
            "=b",
            "A=b # c",
            "A= # c",
            "A=b\\c",
            "A=${HOME}",
            "A=\"${HOME}\"",
            "A='b",
            "A=\"b",
            "A=\"b\\\"",
            "A='b\\'",
            "A=\"b\\n\"",
            "A=\"b\\$\"",
            "A='b'c",
            "A='b' # c",
            "A=b\rB=c",
            "A=\0",
            "A=b\nA=c",
        ] {
            let refused = read(&format!("B=1\n\n{wrong}\n"));
            let line = 3 + wrong.matches('\n').count();
            let refused = refused.unwrap_err();
            assert!(
                refused.starts_with(&format!("line {line}: ")),
                "{wrong}: {refused}"
            );
        }
    }
}
