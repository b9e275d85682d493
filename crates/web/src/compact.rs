//! Compaction of scripts and styles at build time. Browsers do not read comments, types and indentation, which are two
//! fifths of the files.

/// Returns a script or a style sheet without the lines that are empty or comments as a whole, the spaces around the other
/// lines, types within them, and the spaces beside punctuation; in scripts the latter only of imports and of lines that
/// cannot have a text, a pattern or a comment. The lines of template literals stay.
///
/// # Errors
/// A message that names the line, if a comment does not end, has code after its end, or may be text of a template
/// literal that began on an earlier line.
pub(crate) fn compact(text: &str, is_script: bool) -> Result<String, String> {
    let mut kept = String::with_capacity(text.len());
    let (mut comment_start, mut literal_start) = (None, None);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let code = line.trim();
        let begins = comment_start.is_none()
            && (code.starts_with("/*") || is_script && code.starts_with("//"));
        if let Some(literal) = literal_start.filter(|_| begins) {
            return Err(format!(
                "line {number}: this looks like a comment, but the template literal on line {literal} has not ended"
            ));
        }
        if begins && code.starts_with("//") {
            continue;
        }
        if begins || comment_start.is_some() {
            match code.split_once("*/") {
                None => {
                    comment_start.get_or_insert(number);
                    continue;
                }
                Some((_, "")) => {
                    comment_start = None;
                    continue;
                }
                Some(_) if comment_start.is_some() => {
                    return Err(format!("line {number}: there is code after the comment"));
                }
                // A type cast at the begin of a line.
                Some(_) => {}
            }
        }
        let continues = literal_start.is_some();
        if is_script && code.matches('`').count() % 2 == 1 {
            literal_start = literal_start.xor(Some(number));
        }
        if continues || literal_start.is_some() {
            kept.push_str(line);
        } else if !code.is_empty() {
            let code = if is_script {
                without_types(code)
            } else {
                code.to_owned()
            };
            let has_text = is_script && code.contains(['"', '\'', '`', '/']);
            if has_text && !code.starts_with("import ") {
                kept.push_str(&code);
            } else {
                kept.push_str(&without_spaces(&code));
            }
            kept.push('\n');
        }
    }
    match comment_start {
        None => Ok(kept),
        Some(number) => Err(format!("line {number}: the comment does not end")),
    }
}

/// Removes the types that comments give to expressions.
fn without_types(code: &str) -> String {
    let mut parts = code.split("/** @type ");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once("*/") {
            Some((_, after)) => kept.push_str(after.trim_start()),
            None => kept.extend(["/** @type ", part]),
        }
    }
    kept
}

/// Removes the spaces beside the punctuation of a line. After a colon only: before one, a space in CSS means a
/// descendant.
fn without_spaces(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut is_text = false;
    for char in code.chars() {
        is_text ^= char == '"';
        let follows = |punctuation: &[char]| kept.ends_with(punctuation);
        if !is_text && char == ' ' && follows(&['{', '}', ';', ',', ':']) {
            continue;
        }
        if !is_text && ['{', '}', ';', ','].contains(&char) && follows(&[' ']) {
            kept.pop();
        }
        kept.push(char);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_types_and_indentation_are_removed() {
        for (text, kept) in [
            ("", ""),
            ("a();\n", "a();\n"),
            ("// x\na();\n", "a();\n"),
            ("  // x\n\n  a(); // y\n", "a(); // y\n"),
            ("/* x */\na();", "a();\n"),
            ("/**\n * x\n */\na();\n", "a();\n"),
            ("/* x\n// y\na();\n*/\nb();\n", "b();\n"),
            ("/** @type {X} */ (a).b();\n", "(a).b();\n"),
            (
                "a(/** @type {X} */ (b), /** @type {Y} */ (c));",
                "a((b),(c));\n",
            ),
            (
                "import { a, b } from './c.js';\n",
                "import{a,b}from './c.js';\n",
            ),
            ("const { a, b: c } = d(1, 2);\n", "const{a,b:c}= d(1,2);\n"),
            ("a('{ b, c }', { d });\n", "a('{ b, c }', { d });\n"),
            ("a = b ? { c } : d;\n", "a = b ?{c}:d;\n"),
            ("a(/{ 2, 3 }/);\n", "a(/{ 2, 3 }/);\n"),
            ("a(/* x */);\n", "a(/* x */);\n"),
            ("a = 1 /* x\n", "a = 1 /* x\n"),
            ("a(`// ${b}`);\n", "a(`// ${b}`);\n"),
            ("a = b\n  * c;\n", "a = b\n* c;\n"),
            ("// it's `x\na();\n", "a();\n"),
            ("a(`${\n b}`);\n  // x\n  c();\n", "a(`${\n b}`);\nc();\n"),
            ("a(`\n\n  b\n`);\n", "a(`\n\n  b\n`);\n"),
        ] {
            assert_eq!(compact(text, true).as_deref(), Ok(kept), "{text}");
        }
        // Styles have no such comments.
        let style = "/* x\n */\n//a{}\n.b::before { content: \"`\"; }\n";
        let kept = "//a{}\n.b::before{content:\"`\";}\n";
        assert_eq!(compact(style, false).as_deref(), Ok(kept));
    }

    #[test]
    fn spaces_that_mean_something_stay_in_styles() {
        for (style, kept) in [
            (
                "a :hover, b > c { margin: 0 auto }\n",
                "a :hover,b > c{margin:0 auto}\n",
            ),
            (
                "@media (width > 1px) and (pointer: coarse) {\n",
                "@media (width > 1px) and (pointer:coarse){\n",
            ),
            ("a { content: \" ; { : \" }\n", "a{content:\" ; { : \"}\n"),
            (
                "a { width: calc(1px + 2px) }\n",
                "a{width:calc(1px + 2px)}\n",
            ),
        ] {
            assert_eq!(compact(style, false).as_deref(), Ok(kept), "{style}");
        }
    }

    #[test]
    fn ambiguous_lines_are_refused() {
        for (text, line) in [
            ("a();\n/* x\n", "line 2:"),
            ("/* x\n y */ a();\n", "line 2:"),
            ("a(`\n// x\n`);\n", "line 2:"),
            ("a(`\n/* x */\n`);\n", "line 2:"),
        ] {
            let error = compact(text, true).expect_err(text);
            assert!(error.starts_with(line), "{text}: {error}");
        }
    }
}
