//! A file as it is served: its forms with and without compression, and their entity tags.

use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETag,
    Encoding, EntityTag, Header as _, IfNoneMatch, VARY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest as _, Sha256};

use crate::compression;
use crate::files::File;

/// Allows the page its own files and its own origin alone: no inline script or style, no other host, no frame around
/// the page, and no text that becomes a script, but through the page's policy of Trusted Types.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types taskhold";

/// The placeholder in files for the path of the assets.
const PLACEHOLDER: &str = "/page/@/";

/// The number of hexadecimal digits of an entity tag.
const TAG_CHARS: usize = 32;

/// The time for which clients may keep a file without asking again.
#[derive(Clone, Copy)]
pub(crate) enum Caching {
    /// Not at all: the content changes with the next version.
    Revalidate,
    /// For ever: the next version has another address.
    Immutable,
}

impl Caching {
    fn directives(self) -> &'static str {
        match self {
            Self::Revalidate => "no-cache",
            Self::Immutable => "public, max-age=31536000, immutable",
        }
    }
}

/// A file as it is served.
pub(crate) struct Asset {
    media_type: &'static str,
    caching: Caching,
    plain: Representation,
    gzip: Option<Representation>,
}

/// A form of a file.
struct Representation {
    /// The value of `Content-Encoding`.
    encoding: Option<&'static str>,
    tag: EntityTag,
    content: Bytes,
}

impl Asset {
    /// Returns a file in which `folder`, the path of the assets, replaces the placeholder.
    pub(crate) fn new(file: &File, folder: &str, caching: Caching) -> Self {
        let (content, gzip) = if let Some(content) = replaced(file.content, folder) {
            // Without a compressed form the file is served as it is.
            let gzip = compression::gzip(&content).ok().flatten();
            (Bytes::from(content), gzip.map(Bytes::from))
        } else {
            let gzip = file.gzip.map(Bytes::from_static);
            (Bytes::from_static(file.content), gzip)
        };
        let mut tag = hex::encode(Sha256::digest(&content));
        tag.truncate(TAG_CHARS);
        Self {
            media_type: file.media_type,
            caching,
            // Strong tags differ where the bytes do (RFC 9110, section 8.8.3).
            gzip: gzip.map(|content| Representation {
                encoding: Some("gzip"),
                tag: EntityTag::new_strong(format!("{tag}-gzip")),
                content,
            }),
            plain: Representation {
                encoding: None,
                tag: EntityTag::new_strong(tag),
                content,
            },
        }
    }

    /// Returns the file in a form that the client accepts, or 304 if the client has it already.
    pub(crate) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let selected = self.selected(request);
        let known = self.known(selected, request);
        let mut response = match known {
            Some(_) => HttpResponse::NotModified(),
            None => HttpResponse::Ok(),
        };
        response
            .insert_header((CACHE_CONTROL, self.caching.directives()))
            .insert_header((CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((VARY, "Accept-Encoding"))
            .insert_header(ETag(known.unwrap_or(&selected.tag).clone()));
        if known.is_some() {
            return response.finish();
        }
        if let Some(encoding) = selected.encoding {
            response.insert_header((CONTENT_ENCODING, encoding));
        }
        response
            .insert_header((CONTENT_TYPE, self.media_type))
            .body(selected.content.clone())
    }

    /// Returns the form that the client prefers. A client that accepts neither gets the file as it is.
    fn selected(&self, request: &HttpRequest) -> &Representation {
        let (Some(gzip), Ok(accepted)) = (&self.gzip, AcceptEncoding::parse(request)) else {
            return &self.plain;
        };
        let supported = [Encoding::gzip(), Encoding::identity()];
        if accepted.negotiate(supported.iter()) == Some(Encoding::gzip()) {
            gzip
        } else {
            &self.plain
        }
    }

    /// Returns the tag of the form that the client has already, in whichever encoding it came.
    fn known<'a>(
        &'a self,
        selected: &'a Representation,
        request: &HttpRequest,
    ) -> Option<&'a EntityTag> {
        match IfNoneMatch::parse(request).ok()? {
            IfNoneMatch::Any => Some(&selected.tag),
            IfNoneMatch::Items(tags) => {
                let forms = [Some(&self.plain), self.gzip.as_ref()];
                let mut own = forms.into_iter().flatten().map(|form| &form.tag);
                own.find(|own| tags.iter().any(|tag| tag.weak_eq(own)))
            }
        }
    }
}

/// Returns a file with the path of the assets in place of the placeholder; `None` if the file has none.
fn replaced(content: &[u8], folder: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(content).ok()?;
    let has_placeholder = text.contains(PLACEHOLDER);
    has_placeholder.then(|| text.replace(PLACEHOLDER, folder).into_bytes())
}
