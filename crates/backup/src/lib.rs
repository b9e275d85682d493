//! Backups of a store, restoring them, and copying a store to another: for operators, beside the ports
//! that serve requests.
//!
//! | module | holds |
//! | --- | --- |
//! | [`make`] | makes a consistent backup of either kind of store while it is served |
//! | [`manifest`] | [`Manifest`](manifest::Manifest): what a backup holds, and digests to check that it still does |
//! | [`folder`] | [`BackupFolder`](folder::BackupFolder): a folder of backups, each complete or absent |
//! | [`verify`] | restores a backup into a scratch store and compares that with the manifest |
//! | [`restore`] | restores a backup: all or nothing, and revokes again what was revoked since |
//! | [`copy`] | copies the contents of a store into another, of either kind |
//! | [`user_move`] | moves one user into another store, while both are served |
//! | [`origin`] | which store a backup is of |
//! | [`rights`] | the rights of other roles on the tables of PostgreSQL, which a restore grants again |
//! | [`retention`] | which backups are kept |
//! | [`contents`], [`table`], `rows`, `query` | the tables of a store, their rows, and digests that are equal on both kinds of store |
//! | [`tools`] | finds and runs `pg_dump` and `pg_restore` |

pub mod contents;
pub mod copy;
pub mod error;
pub mod folder;
pub mod make;
pub mod manifest;
pub mod origin;
mod query;
pub mod restore;
pub mod retention;
pub mod rights;
mod rows;
pub mod table;
pub mod tools;
pub mod user_move;
pub mod verify;
