//! Disks that can really be filled.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A file system of a fixed size, which only commands see that run [inside](Self::inside). Gone when
/// dropped, and no command runs inside any more.
#[derive(Debug)]
pub struct SmallDisk {
    /// Holds its mount namespace for as long as it has an input.
    holder: Child,
    /// Whether that belongs to a user namespace, which needs no privileges.
    for_anyone: bool,
}

impl SmallDisk {
    /// Makes one of this size at a folder that is there.
    #[must_use]
    pub fn mount(folder: &Path, size: &str) -> Self {
        let mounted = [false, true]
            .into_iter()
            .find_map(|for_anyone| Some((mount(folder, size, for_anyone)?, for_anyone)));
        let Some((holder, for_anyone)) = mounted else {
            panic!(
                "no small disk can be made: it needs a tmpfs, which this system lets neither this \
                 user mount nor anyone in a user namespace (unshare --user --map-root-user --mount)"
            );
        };
        Self { holder, for_anyone }
    }

    /// The command, in its folder, where it sees the disk. It may run as what looks like root.
    #[must_use]
    pub fn inside(&self, command: &Command) -> Command {
        self.entering(command, &[])
    }

    /// The same, as the user that it would run as elsewhere.
    #[must_use]
    pub fn inside_as_oneself(&self, command: &Command) -> Command {
        if !self.for_anyone {
            return self.inside(command);
        }
        let user = std::fs::metadata("/proc/self").expect("Linux").uid();
        let user = format!("--map-user={user}");
        self.entering(command, &["unshare", "--user", &user, "--"])
    }

    fn entering(&self, command: &Command, wrapper: &[&str]) -> Command {
        let mut inside = Command::new("nsenter");
        if self.for_anyone {
            inside.args(["--user", "--preserve-credentials"]);
        }
        inside
            .args(["--mount", "--target", &self.holder.id().to_string(), "--"])
            // To enter leads out of the folder that one was in.
            .args(["sh", "-c", "cd \"$0\" && exec \"$@\""])
            .arg(command.get_current_dir().unwrap_or(Path::new("/")))
            .args(wrapper)
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It ends with its input, and the namespace with the last process in it.
        drop(self.holder.stdin.take());
        drop(self.holder.wait());
    }
}

/// Nothing where that is not allowed.
fn mount(folder: &Path, size: &str, for_anyone: bool) -> Option<Child> {
    let mut unshare = Command::new("unshare");
    if for_anyone {
        unshare.args(["--user", "--map-root-user"]);
    }
    let script =
        format!("mount -t tmpfs -o size={size},mode=700 tmpfs \"$0\" && echo mounted && exec cat");
    let mut holder = unshare
        .args(["--mount", "sh", "-c", &script])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut line = String::new();
    let said = BufReader::new(holder.stdout.take()?).read_line(&mut line);
    if said.is_ok() && line == "mounted\n" {
        return Some(holder);
    }
    drop(holder.stdin.take());
    drop(holder.wait());
    None
}
