//! File systems that tests can fill.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A file system of a fixed size, visible only to commands that run [inside](Self::inside). It is
/// removed when this value is dropped; no command can run inside it afterwards.
#[derive(Debug)]
pub struct SmallDisk {
    /// The process that keeps the mount namespace alive until its input is closed.
    holder: Child,
    /// Whether the mount namespace belongs to a user namespace, which needs no privileges.
    in_user_namespace: bool,
}

impl SmallDisk {
    /// Mounts a file system of this size at an existing folder.
    #[must_use]
    pub fn mount(folder: &Path, size: &str) -> Self {
        let mounted = [false, true].into_iter().find_map(|in_user_namespace| {
            Some((mount(folder, size, in_user_namespace)?, in_user_namespace))
        });
        let Some((holder, in_user_namespace)) = mounted else {
            panic!(
                "no small disk can be made: it needs a tmpfs, which this system lets neither this \
                 user mount nor anyone in a user namespace (unshare --user --map-root-user --mount)"
            );
        };
        Self {
            holder,
            in_user_namespace,
        }
    }

    /// Returns the command, in its folder, with the disk visible. The command may appear to run as
    /// root.
    #[must_use]
    pub fn inside(&self, command: &Command) -> Command {
        self.enter(command, &[])
    }

    /// Returns the command with the disk visible, run as the current user.
    #[must_use]
    pub fn inside_as_current_user(&self, command: &Command) -> Command {
        if !self.in_user_namespace {
            return self.inside(command);
        }
        let user = std::fs::metadata("/proc/self").expect("Linux").uid();
        let user = format!("--map-user={user}");
        self.enter(command, &["unshare", "--user", &user, "--"])
    }

    fn enter(&self, command: &Command, wrapper: &[&str]) -> Command {
        let mut inside = Command::new("nsenter");
        if self.in_user_namespace {
            inside.args(["--user", "--preserve-credentials"]);
        }
        inside
            .args(["--mount", "--target", &self.holder.id().to_string(), "--"])
            // `nsenter` changes the current folder.
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
        // The holder ends when its input closes, and the namespace ends with its last process.
        drop(self.holder.stdin.take());
        drop(self.holder.wait());
    }
}

/// Mounts the file system in a new namespace. Returns `None` where that is not permitted.
fn mount(folder: &Path, size: &str, in_user_namespace: bool) -> Option<Child> {
    let mut unshare = Command::new("unshare");
    if in_user_namespace {
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
    let mounted = BufReader::new(holder.stdout.take()?).read_line(&mut line);
    if mounted.is_ok() && line == "mounted\n" {
        return Some(holder);
    }
    drop(holder.stdin.take());
    drop(holder.wait());
    None
}
