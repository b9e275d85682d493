//! Receiving a file, which may be larger than other bodies and take longer to arrive.

use std::io::{self, Seek as _, Write as _};
use std::time::Duration;

use actix_web::web::{self, Bytes};
use futures_util::StreamExt as _;
use tempfile::SpooledTempFile;
use tokio::time::{Instant, timeout, timeout_at};

use crate::body::{self, Body};
use crate::problem::{Kind, Problem};

/// The size of the largest file, in bytes.
pub(crate) const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The longest time in which a file must arrive: at 56 KiB a second, the largest one does.
const ARRIVAL_TIMEOUT: Duration = Duration::from_mins(5);
/// The longest time in which nothing of a file arrives.
const PAUSE_TIMEOUT: Duration = Duration::from_secs(10);
/// The bytes of a file that are kept in memory. A larger one is on the disk, without a name.
const IN_MEMORY: usize = 256 * 1024;

/// Receives a whole file, of one of these media types.
///
/// # Errors
/// A problem if the file is too large, takes too long, breaks off, is of another media type or encoded.
pub(crate) async fn receive(body: Body, media_types: &[&str]) -> Result<SpooledTempFile, Problem> {
    let mut payload = body.unread(media_types, MAX_BYTES)?;
    let deadline = Instant::now() + ARRIVAL_TIMEOUT;
    let mut file = SpooledTempFile::new(IN_MEMORY);
    let (mut received, mut unwritten) = (0, Vec::new());
    loop {
        let next = timeout(PAUSE_TIMEOUT, payload.next());
        let chunk: Bytes = match timeout_at(deadline, next).await {
            Err(_elapsed) => {
                let seconds = ARRIVAL_TIMEOUT.as_secs();
                return Err(too_slow(format!(
                    "The file did not arrive within {seconds} s."
                )));
            }
            Ok(Err(_elapsed)) => {
                let seconds = PAUSE_TIMEOUT.as_secs();
                return Err(too_slow(format!(
                    "Nothing more of the file arrived for {seconds} s."
                )));
            }
            Ok(Ok(Some(Err(_broken_off)))) => return Err(body::broken_off()),
            Ok(Ok(Some(Ok(chunk)))) => chunk,
            Ok(Ok(None)) => break,
        };
        received += chunk.len();
        if received > MAX_BYTES {
            return Err(body::payload_too_large(MAX_BYTES));
        }
        unwritten.extend_from_slice(&chunk);
        if unwritten.len() >= IN_MEMORY {
            file = append(file, std::mem::take(&mut unwritten)).await?;
        }
    }
    let mut file = append(file, unwritten).await?;
    file.rewind().map_err(Problem::internal)?;
    Ok(file)
}

fn too_slow(detail: String) -> Problem {
    Problem::new(Kind::RequestTimeout, detail)
}

/// Appends bytes on a thread that may wait for the disk.
async fn append(mut file: SpooledTempFile, bytes: Vec<u8>) -> Result<SpooledTempFile, Problem> {
    let append = move || file.write_all(&bytes).map(|()| file);
    let appended: Result<io::Result<_>, _> = web::block(append).await;
    appended
        .map_err(Problem::internal)?
        .map_err(Problem::internal)
}
