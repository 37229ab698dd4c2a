//! JSON bodies, read strictly: unknown fields, wrong types and trailing text are errors that name
//! the place.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_path_to_error::{Path, Segment};

use super::problem::Problem;

/// The largest body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// The largest body of a route that takes larger ones than [`MAX_BODY_BYTES`], in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MaxBody(pub(crate) usize);

/// A JSON body of exactly this form.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !says_json(request.headers()) {
            return Err(Problem::not_json());
        }
        let bytes = read_all(request, state).await?;
        read_object(&bytes).map(Self)
    }
}

/// As [`Body`], where no body at all is an empty object.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let json = says_json(request.headers());
        let bytes = read_all(request, state).await?;
        match (bytes.is_empty(), json) {
            (true, _) => read(b"{}").map(Self),
            (false, true) => read_object(&bytes).map(Self),
            (false, false) => Err(Problem::not_json()),
        }
    }
}

/// The bytes of a body.
///
/// # Errors
/// 413, or 400 if it does not arrive whole.
pub(crate) async fn read_all<S: Send + Sync>(
    request: Request,
    state: &S,
) -> Result<Bytes, Problem> {
    let most = request.extensions().get::<MaxBody>();
    let most = most.map_or(MAX_BODY_BYTES, |most| most.0);
    let read = Bytes::from_request(request, state).await;
    read.map_err(|rejection| unread(rejection, most))
}

/// Reads a field that may be absent (`None`), null (`Some(None)`) or there.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

fn says_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    essence.is_some_and(|kind| {
        kind.eq_ignore_ascii_case("application/json")
            || kind.to_ascii_lowercase().ends_with("+json")
    })
}

/// A body that did not arrive, or has more than `most` bytes.
pub(crate) fn unread(rejection: BytesRejection, most: usize) -> Problem {
    match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(most),
        _ => Problem::bad_request("BODY_UNREADABLE", "the body did not arrive whole"),
    }
}

/// Reads an object. The reader would take an array of the fields' values as well, which is nothing
/// that anybody means.
fn read_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let value = read(bytes)?;
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::bad_field(
            "",
            "this is an array, and not an object",
        ));
    }
    Ok(value)
}

/// Reads JSON of exactly this form.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let inner = error.inner();
        if inner.is_data() {
            Problem::bad_field(&pointer(error.path()), without_place(inner))
        } else {
            malformed(inner)
        }
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let detail = format!("the body is not JSON: line {line}, column {column}");
    Problem::bad_request("MALFORMED_JSON", detail)
}

/// The message of the JSON reader without its line and column, as the pointer names the place.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// RFC 6901.
pub(crate) fn pointer(path: &Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code, reason = "only its reading is of interest")]
        list: Vec<u8>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code, reason = "only its reading is of interest")]
        inner: Inner,
    }

    fn refused(body: &str) -> String {
        format!("{:?}", read::<Outer>(body.as_bytes()).unwrap_err())
    }

    #[test]
    fn errors_name_their_place() {
        assert!(refused(r#"{"inner":{"list":[1,"x"]}}"#).contains("\"/inner/list/1\""));
        assert!(refused(r#"{"inner":{"list":[],"more":1}}"#).contains("\"/inner/more\""));
        assert!(refused(r#"{"more":1}"#).contains("\"/more\""));
        assert!(refused(r#"{"inner":"#).contains("MALFORMED_JSON"));
        assert!(refused(r#"{"inner":{"list":[]}} x"#).contains("MALFORMED_JSON"));
        assert!(refused("\u{0}").contains("MALFORMED_JSON"));
    }
}
