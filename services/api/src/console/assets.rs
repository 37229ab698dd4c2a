//! The console's own styles, script and pictures. Their names tell their contents, so that browsers keep
//! them for good and never show an old one.

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::http::path::Text;
use crate::http::problem::Problem;

/// A file, and where it is served.
struct Asset {
    path: String,
    kind: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    fn new(stem: &str, extension: &str, kind: &'static str, bytes: &'static [u8]) -> Self {
        let sum = Sha256::digest(bytes);
        let sum: String = sum[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            path: format!("/console/assets/{stem}-{sum}.{extension}"),
            kind,
            bytes,
        }
    }
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let parts = concat!(
        include_str!("../../assets/console/console.css"),
        include_str!("../../assets/console/controls.css"),
        include_str!("../../assets/console/data.css"),
        include_str!("../../assets/console/chart.css"),
    );
    Asset::new(
        "console",
        "css",
        "text/css; charset=utf-8",
        parts.as_bytes(),
    )
});

static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let bytes = include_bytes!("../../assets/console/console.js");
    Asset::new("console", "js", "text/javascript; charset=utf-8", bytes)
});

static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let bytes = include_bytes!("../../assets/console/icon.svg");
    Asset::new("icon", "svg", "image/svg+xml", bytes)
});

/// Where the styles are.
pub(super) fn style() -> &'static str {
    &STYLE.path
}

/// Where the script is.
pub(super) fn script() -> &'static str {
    &SCRIPT.path
}

/// Where the icon is.
pub(super) fn icon() -> &'static str {
    &ICON.path
}

/// A file: 200, or 404.
pub(super) async fn serve(Text(name): Text) -> Result<Response, Problem> {
    let assets = [&*STYLE, &*SCRIPT, &*ICON];
    let is_named = |asset: &&&Asset| asset.path.rsplit('/').next() == Some(name.as_str());
    let asset = assets.iter().find(is_named);
    let asset = asset.ok_or_else(|| Problem::not_found("path"))?;
    let for_good = HeaderValue::from_static("public, max-age=31536000, immutable");
    let kind = HeaderValue::from_static(asset.kind);
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, for_good),
    ];
    Ok((headers, asset.bytes).into_response())
}
