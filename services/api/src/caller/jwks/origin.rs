//! Where a set of keys comes from: a file or a URL. Bounded in size and time; redirects and the
//! environment's proxies are not followed, because the keys decide who gets in.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::CACHE_CONTROL;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use tollkeeper_runtime::settings::JwksSource;

use super::set::{BadSet, KeySet};

/// No set that somebody signs with is as large.
const MAX_BYTES: usize = 256 * 1024;

/// The longest a fetch may take.
const FETCH: Duration = Duration::from_secs(5);

/// Why a set cannot be had. Fit for the log.
#[derive(Debug, thiserror::Error)]
pub enum CannotLoad {
    /// The file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The URL does not answer.
    #[error("the URL cannot be fetched: {0}")]
    Fetch(#[from] reqwest::Error),
    /// The URL answers something else than 200.
    #[error("the URL answers {0}")]
    Status(StatusCode),
    /// More than anybody's keys.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// Not a set with a usable key.
    #[error(transparent)]
    Set(#[from] BadSet),
}

/// Where a set comes from, and what it takes to get it there.
pub(super) enum Origin {
    /// A file.
    File(PathBuf),
    /// A URL, and a client that goes there and nowhere else.
    Url(String, Client),
}

impl Origin {
    /// # Errors
    /// If TLS cannot be set up.
    pub(super) fn new(source: JwksSource) -> Result<Self, CannotLoad> {
        Ok(match source {
            JwksSource::File(path) => Self::File(path),
            JwksSource::Url(url) => {
                let client = Client::builder()
                    .no_proxy()
                    .redirect(Policy::none())
                    .timeout(FETCH);
                Self::Url(url, client.build()?)
            }
        })
    }
}

/// Fetches a set; says for how long the answer may be kept, where it says so.
pub(super) async fn fetch(
    client: &Client,
    url: &str,
) -> Result<(KeySet, Option<Duration>), CannotLoad> {
    // Errors repeat the URL otherwise, which may hold what is nobody's business.
    let plain = |error: reqwest::Error| CannotLoad::Fetch(error.without_url());
    let mut response = client.get(url).send().await.map_err(plain)?;
    if response.status() != StatusCode::OK {
        return Err(CannotLoad::Status(response.status()));
    }
    let cache = response.headers().get(CACHE_CONTROL);
    let fresh = cache.and_then(|value| max_age(value.to_str().ok()?));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(plain)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(CannotLoad::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok((KeySet::read(&body)?, fresh))
}

/// The `max-age` of a `Cache-Control` (RFC 9111, section 5.2.2.1).
fn max_age(value: &str) -> Option<Duration> {
    let mut directives = value.split(',').map(str::trim);
    let seconds = directives.find_map(|it| it.strip_prefix("max-age="))?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp([i64; 5], u64);

/// The state that a file is in.
pub(super) fn stamp(path: &Path) -> Result<Stamp, CannotLoad> {
    let found = fs::metadata(path).map_err(|reason| unreadable(path, reason))?;
    let times = [
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
        i64::try_from(found.size()).unwrap_or(i64::MAX),
    ];
    Ok(Stamp(times, found.ino()))
}

/// Reads a set from a file.
pub(super) fn read(path: &Path) -> Result<KeySet, CannotLoad> {
    let open = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(MAX_BYTES + 1).unwrap_or(u64::MAX);
        fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = open().map_err(|reason| unreadable(path, reason))?;
    if bytes.len() > MAX_BYTES {
        return Err(CannotLoad::TooLarge);
    }
    Ok(KeySet::read(&bytes)?)
}

fn unreadable(path: &Path, reason: std::io::Error) -> CannotLoad {
    CannotLoad::File {
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_is_found_among_the_directives() {
        let found = max_age("public, max-age=600, must-revalidate");
        assert_eq!(found, Some(Duration::from_secs(600)));
        for none in ["", "no-store", "max-age=soon", "max-age=-1"] {
            assert_eq!(max_age(none), None, "{none}");
        }
    }
}
