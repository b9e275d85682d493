//! The file `.env`: its values are taken literally, or refused with their line.

use std::fs;
use std::path::Path;

use super::{assert_says, text};
use crate::service::{Database, SECRET, run};

/// Runs a command that needs settings and no database.
fn with_dotenv(folder: &Path, dotenv: &[u8]) -> std::process::Output {
    fs::write(folder.join(".env"), dotenv).expect("written");
    run(folder, &[], &["health", "--url", "http://127.0.0.1:1"])
}

#[test]
fn doubtful_line_is_refused_by_its_number_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let in_quotes = "put the value in single quotes, or the comment on a line of its own";
    let tail = "goes on after its closing quote: put all of it in quotes, or the comment on a line of its own";
    for (dotenv, expected) in [
        (&b"\n# c\nPORT 8080 hunter2\n"[..], ", line 3: it has no =; a line is NAME=VALUE or begins with #".to_owned()),
        (b"JWT SECRET=hunter2", ", line 1: what stands before the = is no name of a variable: only letters, digits and _ are".to_owned()),
        (b"A=1\nJWT_SECRET=\"hunter2\nPORT=0\n", ", line 2: the quote before the value of JWT_SECRET is not closed".to_owned()),
        (b"JWT_SECRET='hunter2", ", line 1: the quote before the value of JWT_SECRET is not closed".to_owned()),
        (b"JWT_SECRET=hunter2 # mine", format!(", line 1: the value of JWT_SECRET has a # after a space: {in_quotes}")),
        (b"JWT_SECRET='hunter2' # mine", format!(", line 1: the value of JWT_SECRET {tail}")),
        (b"JWT_SECRET=\"hunter2\"hunter2", format!(", line 1: the value of JWT_SECRET {tail}")),
        (b"\r\nJWT_SECRET=hunter\\2\r\n", ", line 2: the value of JWT_SECRET has a \\: put it in single quotes".to_owned()),
        (
            b"JWT_SECRET=${HUNTER}",
            ", line 1: the value of JWT_SECRET has ${, and no variable is replaced here: put it in single quotes if it \
             is meant, or write the value"
                .to_owned(),
        ),
        (b"PORT=1\nJWT_SECRET=hunter2\nPORT=2", ", line 3: PORT is set a second time, after line 1: remove one of the two".to_owned()),
        (b"A=1\nJWT_SECRET=hunter\xff2", ", line 2: it is not UTF-8; save it as UTF-8".to_owned()),
        (b"\xff\xfeP\0O\0R\0T\0", " is UTF-16: save it as UTF-8".to_owned()),
        (b"\xfe\xff\0P\0O\0R\0T", " is UTF-16: save it as UTF-8".to_owned()),
        (b"JWT_SECRET=hunter\x07", ", line 1: the value of JWT_SECRET has a control character".to_owned()),
    ] {
        let output = with_dotenv(folder.path(), dotenv);
        assert_says(&output, 78, &format!("taskhold: .env{expected}"));
    }
    fs::remove_file(folder.path().join(".env")).expect("removed");
    fs::create_dir(folder.path().join(".env")).expect("a folder");
    let output = run(folder.path(), &[], &["migrate", "status"]);
    assert_says(
        &output,
        78,
        "taskhold: .env cannot be read: Is a directory (os error 21)",
    );
}

/// The token that the program makes shows which audience it read.
#[test]
fn value_is_taken_literally() {
    let database = Database::sqlite();
    let folder = database.folder.path();
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("JWT_SECRET", SECRET),
    ];
    assert!(run(folder, &variables, &["migrate", "up"]).status.success());
    for (dotenv, expected) in [
        ("NAME=a$HOME$1$$", "a$HOME$1$$"),
        ("NAME='a${HOME}'", "a${HOME}"),
        ("NAME=a#b", "a#b"),
        ("NAME='a # b'", "a # b"),
        ("NAME=\"a \\\"b\\\" \\\\\"", "a \"b\" \\"),
        ("NAME=it's \"a\"", "it's \"a\""),
        ("export NAME = a b  ", "a b"),
        ("\u{feff}NAME=a", "a"),
        ("# c\r\nNAME=a\r\nOTHERS=${X} # y\r\n", "a"),
        ("OTHERS=1\nOTHERS=2\nNAME=`a`", "`a`"),
    ] {
        let dotenv = dotenv.replace("NAME", "TASKHOLD__AUTH__AUDIENCE");
        fs::write(folder.join(".env"), &dotenv).expect("written");
        let output = run(folder, &variables, &["token", "anna"]);
        assert!(output.status.success(), "{dotenv}: {output:?}");
        let token = text(&output.stdout).trim();
        let claims: serde_json::Value = jsonwebtoken::dangerous::insecure_decode(token)
            .expect("a token")
            .claims;
        assert_eq!(claims["aud"], expected, "{dotenv}");
    }
}
