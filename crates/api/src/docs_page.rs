//! `GET /docs`: the OpenAPI document as a page to read and try. Its files are part of the program. `GET /` leads
//! there, unless the program serves something else at `/`.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use crate::base_path::BasePath;
use crate::problem::Problem;
use crate::route::{Access, Endpoint};
use crate::schema::{one_of, schema_type};

/// Allows no other origin, and no inline script or style. The styles of Swagger UI contain images.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The assets are the same for every user, and change only with a new version.
const ASSET_CACHING: &str = "public, max-age=3600";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// A file that the page loads.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static [u8],
}

const ASSETS: [Asset; 3] = [
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

schema_type!(AssetName = { one_of(ASSETS.map(|asset| asset.name)) });

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new::<__path_page>(Access::Public, || web::to(page)),
        Endpoint::new::<__path_asset>(Access::Public, || web::to(asset)),
    ]
}

pub(crate) fn redirect() -> Endpoint {
    Endpoint::new::<__path_start>(Access::Public, || web::to(start))
}

/// Redirect to the documentation
///
/// For a browser that opens the address of the service.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "start",
    responses((status = 303, description = "The documentation is at `Location`.")),
)]
async fn start(request: HttpRequest) -> HttpResponse {
    let location = match BasePath::of(&request) {
        // Relative, so that it is right even if a proxy publishes the service under a path.
        "" => "docs".to_owned(),
        base_path => format!("{base_path}/docs"),
    };
    HttpResponse::SeeOther()
        .insert_header((LOCATION, location))
        .finish()
}

/// This document as a page to read and try
///
/// Loads nothing from other servers.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "docs",
    responses((
        status = 200,
        description = "The page.",
        body = String,
        content_type = "text/html",
        example = "<!doctype html>",
    )),
)]
async fn page(request: HttpRequest) -> HttpResponse {
    let page = include_str!("docs_page/index.html");
    let page = page.replace("{base_path}", BasePath::of(&request));
    file(&mut HttpResponse::Ok(), HTML).body(page)
}

/// A file of the documentation
///
/// A script or a style sheet of `/docs`.
#[utoipa::path(
    get,
    path = "/docs/{name}",
    operation_id = "docsAsset",
    params(("name" = inline(AssetName), Path)),
    responses(
        (
            status = 200,
            description = "The file.",
            content(
                (String = "text/javascript", example = ""),
                (String = "text/css", example = ""),
            ),
        ),
        (status = 404, description = "NothingHere"),
    ),
)]
async fn asset(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.name == name.as_str());
    let asset = asset.ok_or_else(Problem::no_such_route)?;
    Ok(file(&mut HttpResponse::Ok(), asset.media_type)
        .insert_header((CACHE_CONTROL, ASSET_CACHING))
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
