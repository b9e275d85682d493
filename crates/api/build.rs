//! Extracts the files of Swagger UI that `/docs` serves from their archive, so that they are part of the
//! program.

use std::error::Error;
use std::fs::File;
use std::io::{self, Cursor};
use std::path::Path;

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

const FILES: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = std::env::var("OUT_DIR")?;
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for file in FILES {
        let end = format!("/dist/{file}");
        let place = (0..archive.len()).find(|index| {
            let entry = archive.by_index(*index);
            entry.is_ok_and(|entry| entry.name().is_ok_and(|name| name.ends_with(&end)))
        });
        let place = place.ok_or_else(|| format!("Swagger UI has no {file}"))?;
        let mut packed = archive.by_index(place)?;
        io::copy(
            &mut packed,
            &mut File::create(Path::new(&folder).join(file))?,
        )?;
    }
    Ok(())
}
