//! Files of settings and secrets that only the program's user, its group or root can write.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::{getegid, geteuid};

/// A file that is not to be trusted, or cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Untrusted(String);

/// The bits of a mode that let the group write, and everybody.
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// Opens a file that the program reads without being told to, or returns `None` if it does not exist. The file,
/// and a symbolic link in its place, must belong to the user of the program or to root, and no other user may
/// write to it. Its group may if it is the group of the program, which is usual on many systems.
pub fn open(path: &Path) -> Result<Option<File>, Untrusted> {
    let shown = path.display();
    let unreadable = |error| Untrusted(format!("the file {shown} cannot be read: {error}"));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let of_file = file.metadata().map_err(unreadable)?;
    let of_link = path.symlink_metadata().map_err(unreadable)?;
    let us = geteuid().as_raw();
    for owner in [of_file.uid(), of_link.uid()] {
        if owner != us && owner != 0 {
            return Err(Untrusted(format!(
                "the file {shown} belongs to user {owner}, who could change what this service reads in it: chown \
                 it to user {us}, or remove it"
            )));
        }
    }
    let mode = of_file.mode();
    if mode & OTHERS_WRITE != 0 || mode & GROUP_WRITES != 0 && of_file.gid() != getegid().as_raw() {
        return Err(Untrusted(format!(
            "others can write to the file {shown} (mode {:o}), which this service reads: chmod go-w it",
            mode & 0o777
        )));
    }
    Ok(Some(file))
}
