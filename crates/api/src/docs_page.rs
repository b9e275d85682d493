//! `GET /docs`: the OpenAPI document as a page to read and try. All that it needs comes with the program.

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, HttpResponseBuilder};

use crate::endpoint::{Access, Endpoint};
use crate::problem::Problem;

pub(crate) const PAGE: &str = "/docs";
pub(crate) const ASSET: &str = "/docs/{name}";

/// Nothing from elsewhere, and no script or style within the page. Swagger UI has images in its styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// They are the same for everyone, and change with a new version only.
const KEPT: &str = "public, max-age=3600";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// A file that the page is made of.
pub(crate) struct Asset {
    pub(crate) name: &'static str,
    media_type: &'static str,
    content: &'static [u8],
}

pub(crate) const ASSETS: [Asset; 3] = [
    Asset {
        name: "start.js",
        media_type: SCRIPT,
        content: include_bytes!("docs_page/start.js"),
    },
    Asset {
        name: "swagger-ui-bundle.js",
        media_type: SCRIPT,
        content: include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js")),
    },
    Asset {
        name: "swagger-ui.css",
        media_type: STYLE,
        content: include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css")),
    },
];

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::GET, PAGE, Access::Public, || web::to(page)),
        Endpoint::new(Method::GET, ASSET, Access::Public, || web::to(asset)),
    ]
}

async fn page() -> HttpResponse {
    let page = include_str!("docs_page/index.html");
    file(&mut HttpResponse::Ok(), HTML).body(page)
}

async fn asset(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.name == name.as_str());
    let asset = asset.ok_or_else(Problem::no_such_route)?;
    Ok(file(&mut HttpResponse::Ok(), asset.media_type)
        .insert_header((CACHE_CONTROL, KEPT))
        .body(Bytes::from_static(asset.content)))
}

fn file<'a>(
    response: &'a mut HttpResponseBuilder,
    media_type: &str,
) -> &'a mut HttpResponseBuilder {
    response
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
}
