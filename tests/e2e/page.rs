//! The page for browsers.

mod routing;
pub mod serving;
