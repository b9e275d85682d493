//! The page for browsers.

pub mod serving;
