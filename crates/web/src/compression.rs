//! Compression of files. The build compresses files as they are, the start those that name other addresses.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Compresses a file. Returns `None` if that makes it no smaller.
///
/// # Errors
/// None that is known: memory takes everything.
pub(crate) fn gzip(content: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    let compressed = encoder.finish()?;
    Ok((compressed.len() < content.len()).then_some(compressed))
}
