//! Reading a file on a thread of its own, so that its rows can be awaited.

use std::io::{BufReader, Read};
use std::ops::ControlFlow;

use taskhold_application::import::Row;
use tokio::sync::mpsc;

use crate::Format;
use crate::reader::{FileError, read_rows};
use crate::unknown::UnknownMembers;

/// The number of batches that may wait for the receiver.
const AHEAD: usize = 2;
const BUFFER: usize = 1 << 16;

/// Rows of a file. The last batch has the members that were left out of all rows.
pub type Batch = (Vec<Row>, UnknownMembers);

/// Reads batches of `size` rows, at most two ahead of the receiver. The last one may be smaller, and there is none after
/// an error. Reading ends when the receiver is dropped.
#[must_use]
pub fn read_batches(
    input: impl Read + Send + 'static,
    format: Option<Format>,
    size: usize,
) -> mpsc::Receiver<Result<Batch, FileError>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    // Not a thread of the runtime: waiting for input must not keep the program from ending.
    std::thread::spawn(move || {
        let input = BufReader::with_capacity(BUFFER, input);
        let mut batch = Vec::with_capacity(size);
        let read = read_rows(input, format, |row| {
            batch.push(row);
            if batch.len() < size {
                return ControlFlow::Continue(());
            }
            let full = std::mem::replace(&mut batch, Vec::with_capacity(size));
            match sender.blocking_send(Ok((full, UnknownMembers::default()))) {
                Ok(()) => ControlFlow::Continue(()),
                // The import has failed, so the receiver is gone.
                Err(_) => ControlFlow::Break(()),
            }
        });
        drop(sender.blocking_send(read.map(|unknown| (batch, unknown))));
    });
    receiver
}
