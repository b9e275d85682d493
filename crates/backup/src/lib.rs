//! Backups of a store, restoring them, and copying a store to another: for operators, beside the
//! ports that serve requests.
//!
//! | module | holds |
//! | --- | --- |
//! | [`make`] | [`make`](make::make): a consistent backup of either store while it is served |
//! | [`manifest`] | [`Manifest`](manifest::Manifest): what a backup holds, and how to see that it still does |
//! | [`folder`] | [`BackupFolder`](folder::BackupFolder): where backups lie, whole or not at all |
//! | [`verify`] | restoring a backup into a scratch store and comparing it with its manifest |
//! | [`restore`] | restoring it for good: all or nothing, with what was revoked since |
//! | [`copy`] | a store's whole content into another, of either kind |
//! | [`retention`] | which backups are kept |
//! | [`contents`], [`table`], `rows` | the tables of a store, their rows, and digests that are alike on both kinds of store |
//! | `tools` | `pg_dump` and `pg_restore` |

pub mod contents;
pub mod copy;
pub mod error;
pub mod folder;
pub mod make;
pub mod manifest;
pub mod restore;
pub mod retention;
mod rows;
pub mod table;
mod tools;
pub mod verify;
