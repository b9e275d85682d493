//! What the process takes of the machine, under the names that every client library of Prometheus
//! gives it. Linux tells; elsewhere there is only when it started.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use taskhold_application::clock::{Clock as _, SystemClock};

use super::as_f64;

/// Says what will be measured, and notes when the process started.
pub fn start() {
    metrics::describe_gauge!(
        "process_start_time_seconds",
        "When the process started, in seconds since 1970."
    );
    metrics::describe_gauge!(
        "process_resident_memory_bytes",
        "Memory of the process that is in RAM."
    );
    metrics::describe_counter!(
        "process_cpu_seconds_total",
        "Time of CPUs that the process took, in whole seconds."
    );
    metrics::describe_gauge!(
        "process_open_fds",
        "Open files and connections of the process."
    );
    metrics::describe_gauge!(
        "process_max_fds",
        "How many the process may have open at once."
    );
    let started = SystemClock.now().as_micros();
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds since 1970 fit until the year 2255"
    )]
    metrics::gauge!("process_start_time_seconds").set(started as f64 / 1e6);
}

/// Notes how it is now. What cannot be read is left as it was.
pub fn note() {
    if let Some(pages) = resident_pages() {
        metrics::gauge!("process_resident_memory_bytes").set(as_f64(pages) * as_f64(page_size()));
    }
    if let Some(seconds) = cpu_seconds() {
        metrics::counter!("process_cpu_seconds_total").absolute(seconds);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // One of them is the folder that is being read.
        metrics::gauge!("process_open_fds").set(as_f64(files.count().saturating_sub(1)));
    }
    let most = getrlimit(Resource::Nofile).current;
    if let Some(most) = most.and_then(|most| usize::try_from(most).ok()) {
        metrics::gauge!("process_max_fds").set(as_f64(most));
    }
}

fn resident_pages() -> Option<usize> {
    let memory = fs::read_to_string("/proc/self/statm").ok()?;
    memory.split(' ').nth(1)?.parse().ok()
}

/// Of the user's code and of the system's on its behalf: fields 14 and 15 of proc(5). The second field
/// is a name in parentheses, which may hold anything.
fn cpu_seconds() -> Option<u64> {
    let state = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_name) = state.rsplit_once(')')?;
    let mut times = after_name.split_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    (user + system).checked_div(clock_ticks_per_second())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_read() {
        assert!(resident_pages().is_some_and(|pages| pages > 100));
        assert!(cpu_seconds().is_some_and(|seconds| seconds < 3600));
    }
}
