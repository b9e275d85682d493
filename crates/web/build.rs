//! Makes the files in `assets` part of the program: a table of them, compacted, with their media types
//! and compressed forms; the list of their paths for the service worker; and a digest of all of them, which is part of
//! their addresses.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

#[path = "src/compact.rs"]
mod compact;
#[path = "src/compression.rs"]
mod compression;

/// The media types of the files that are served, by the endings of their names.
const MEDIA_TYPES: [(&str, &str); 7] = [
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("webmanifest", "application/manifest+json"),
];

/// The ending of files that only the type checker reads.
const TYPES: &str = ".d.ts";

/// The files with addresses of their own, and the names of their constants.
const PAGES: [(&str, &str); 2] = [("index.html", "INDEX"), ("sw.js", "WORKER")];

/// The list of the other files.
const LIST: &str = "files.json";

/// The number of hexadecimal digits in the digest.
const DIGEST_CHARS: usize = 16;

/// A file of the page.
struct File {
    /// Its path in the folder, which is also the end of its address.
    path: String,
    content: Vec<u8>,
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/compact.rs");
    println!("cargo::rerun-if-changed=src/compression.rs");
    println!("cargo::rerun-if-changed=assets");
    if let Err(message) = build() {
        println!("cargo::error={message}");
    }
}

fn build() -> Result<(), String> {
    let variable = |name: &str| std::env::var(name).map_err(|error| format!("{name}: {error}"));
    let folder = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("assets");
    let out = PathBuf::from(variable("OUT_DIR")?);
    let mut files = Vec::new();
    collect(&folder, "", &mut files)?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let mut table = format!(
        "/// The digest of all files of the page.\npub(crate) const DIGEST: &str = {:?};\n",
        digest(&files)
    );
    for (path, name) in PAGES {
        let place = files.iter().position(|file| file.path == path);
        let place = place.ok_or_else(|| format!("crates/web/assets/{path} is missing"))?;
        let file = entry(&files.remove(place), &out)?;
        write(
            &mut table,
            &format!("pub(crate) static {name}: File = {file};"),
        );
    }
    files.push(list(&files)?);
    write(&mut table, "pub(crate) static FILES: &[File] = &[");
    for file in &files {
        write(&mut table, &format!("{},", entry(file, &out)?));
    }
    write(&mut table, "];");
    save(&out.join("files.rs"), table.as_bytes())
}

fn write(table: &mut String, line: &str) {
    // Writing into a string cannot fail.
    _ = writeln!(table, "{line}");
}

/// Adds the files in a folder and the folders in it.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Result<(), String> {
    let unreadable =
        |path: &str, error| format!("crates/web/assets/{path} cannot be read: {error}");
    let entries = fs::read_dir(folder).map_err(|error| unreadable(prefix, error))?;
    for entry in entries {
        let source = entry.map_err(|error| unreadable(prefix, error))?.path();
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let path = format!("{prefix}{name}");
        // Editors and file managers leave such files.
        if name.starts_with('.') || name.ends_with(TYPES) {
            continue;
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if !name.bytes().all(is_plain) {
            return Err(format!(
                "crates/web/assets/{path}: the name may have letters, digits and -._ only, since it is part of a URL"
            ));
        }
        if source.is_dir() {
            collect(&source, &format!("{path}/"), files)?;
        } else {
            let content = fs::read(&source).map_err(|error| unreadable(&path, error))?;
            let content = compacted(&path, content)?;
            files.push(File { path, content });
        }
    }
    Ok(())
}

/// Returns the content of a file as it is served: scripts and styles are compacted.
fn compacted(path: &str, content: Vec<u8>) -> Result<Vec<u8>, String> {
    let is_script = match ending(path) {
        "js" => true,
        "css" => false,
        _ => return Ok(content),
    };
    let text = String::from_utf8(content).map_err(|error| error.to_string());
    let text = text.and_then(|text| compact::compact(&text, is_script));
    let text = text.map_err(|error| format!("crates/web/assets/{path}: {error}"))?;
    Ok(text.into_bytes())
}

fn ending(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

/// Returns the digest of the paths and contents, each with its length before it.
fn digest(files: &[File]) -> String {
    let mut hash = Sha256::new();
    for part in files
        .iter()
        .flat_map(|file| [file.path.as_bytes(), &file.content])
    {
        hash.update(part.len().to_string());
        hash.update(b":");
        hash.update(part);
    }
    let mut digest = hex::encode(hash.finalize());
    digest.truncate(DIGEST_CHARS);
    digest
}

/// Returns the list of the files, which is a file too.
fn list(files: &[File]) -> Result<File, String> {
    if files.iter().any(|file| file.path == LIST) {
        return Err(format!(
            "crates/web/assets/{LIST}: the list of the other files has this name"
        ));
    }
    // The names have no character that JSON escapes.
    let paths: Vec<_> = files
        .iter()
        .map(|file| format!("\"{}\"", file.path))
        .collect();
    Ok(File {
        path: LIST.to_owned(),
        content: format!("[{}]\n", paths.join(",")).into_bytes(),
    })
}

/// Returns the expression of a file, of which it saves the content and the compressed content.
fn entry(file: &File, out: &Path) -> Result<String, String> {
    let path = &file.path;
    let media_type = MEDIA_TYPES.iter().find(|(known, _)| *known == ending(path));
    let Some((_, media_type)) = media_type else {
        return Err(format!(
            "crates/web/assets/{path}: its media type is unknown; add its ending to MEDIA_TYPES in crates/web/build.rs"
        ));
    };
    let include = |name: &str, content: &[u8]| {
        save(&out.join(name), content)?;
        Ok::<_, String>(format!(
            "include_bytes!(concat!(env!(\"OUT_DIR\"), {:?}))",
            format!("/{name}")
        ))
    };
    let name = path.replace('/', "~");
    let compressed = compression::gzip(&file.content);
    let compressed = compressed.map_err(|error| format!("crates/web/assets/{path}: {error}"))?;
    let gzip = match compressed {
        Some(compressed) => format!("Some({})", include(&format!("{name}.gz"), &compressed)?),
        None => "None".to_owned(),
    };
    let content = include(&name, &file.content)?;
    Ok(format!(
        "File {{ path: {path:?}, media_type: {media_type:?}, content: {content}, gzip: {gzip} }}"
    ))
}

fn save(place: &Path, content: &[u8]) -> Result<(), String> {
    fs::write(place, content).map_err(|error| format!("{}: {error}", place.display()))
}
