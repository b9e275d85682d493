//! The files of the page, as the build found them in `assets`.

/// A file of the page.
pub(crate) struct File {
    /// The path in `assets`.
    pub(crate) path: &'static str,
    pub(crate) media_type: &'static str,
    pub(crate) content: &'static [u8],
    /// The compressed content, if that is smaller.
    pub(crate) gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));
