//! The page of Taskhold for browsers: ES modules, styles and a service worker, which are part of the program, and their
//! addresses.
//!
//! | module | holds |
//! | --- | --- |
//! | `files` | the files in `assets`, as the build found them |
//! | `compression` | compression at build time and at the start |
//! | `compact` | compaction of scripts and styles, at build time |
//! | `asset` | a file as it is served: forms, entity tags, headers |
//!
//! | address | answer |
//! | --- | --- |
//! | `/` | `index.html` |
//! | `/sw.js` | the service worker, whose scope is the path above it |
//! | `/page/{digest}/{path}` | every other file. The digest of all files is part of the address, so that clients keep a file for ever and never mix two versions |
//! | `/page/{digest}/files.json` | the paths of these files, which the service worker caches |
//!
//! Files write `/page/@/` where they name another one; it is replaced by the path with the digest.
//!
//! ```
//! let page = taskhold_web::Page::new("/todo");
//! let addresses = page.addresses();
//! assert_eq!(addresses.map(|address| address.path), taskhold_web::PATHS);
//! ```

mod asset;
#[cfg(test)]
mod compact;
mod compression;
mod files;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::error::ErrorNotFound;
use actix_web::{Error, HttpRequest, Route, web};

use crate::asset::{Asset, Caching};
use crate::files::{DIGEST, FILES, INDEX, WORKER};

/// The paths of the addresses, as patterns of actix-web.
pub const PATHS: [&str; 3] = ["/", "/sw.js", "/page/{digest}/{path:.*}"];

/// The page under one base path. A clone shares the files.
#[derive(Clone)]
pub struct Page(Arc<Files>);

struct Files {
    index: Asset,
    worker: Asset,
    others: BTreeMap<&'static str, Asset>,
}

type Find = for<'a> fn(&'a Files, &HttpRequest) -> Option<&'a Asset>;

/// An address of the page, which answers `GET` and `HEAD`.
#[derive(Clone)]
pub struct Address {
    /// The pattern of the path.
    pub path: &'static str,
    page: Page,
    find: Find,
}

impl Page {
    /// Returns the page of a service that is published under `base_path`, such as `/todo`; at the root it is empty.
    #[must_use]
    pub fn new(base_path: &str) -> Self {
        let folder = format!("{base_path}/page/{DIGEST}/");
        let others = FILES
            .iter()
            .map(|file| (file.path, Asset::new(file, &folder, Caching::Immutable)));
        Self(Arc::new(Files {
            index: Asset::new(&INDEX, &folder, Caching::Revalidate),
            worker: Asset::new(&WORKER, &folder, Caching::Revalidate),
            others: others.collect(),
        }))
    }

    /// Returns the addresses of the page.
    #[must_use]
    pub fn addresses(&self) -> [Address; 3] {
        let [root, worker, others] = PATHS;
        let address = |path, find: Find| Address {
            path,
            page: self.clone(),
            find,
        };
        [
            address(root, |files, _| Some(&files.index)),
            address(worker, |files, _| Some(&files.worker)),
            address(others, Files::find),
        ]
    }
}

impl Files {
    /// Returns the file that a request names by its digest and path.
    fn find(&self, request: &HttpRequest) -> Option<&Asset> {
        let parts = request.match_info();
        if parts.get("digest") != Some(DIGEST) {
            return None;
        }
        self.others.get(parts.get("path")?)
    }
}

impl Address {
    /// Returns the route. Each thread of the server needs its own.
    #[must_use]
    pub fn route(&self) -> Route {
        let Self { page, find, .. } = self.clone();
        web::to(move |request: HttpRequest| {
            let page = page.clone();
            async move {
                let asset = find(&page.0, &request).ok_or_else(|| ErrorNotFound("no such file"))?;
                Ok::<_, Error>(asset.answer(&request))
            }
        })
    }
}
