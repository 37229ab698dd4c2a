//! `GET /console/operation/audit/export`: all lines that the filters leave, as one CSV. The management API is
//! asked for one page after the other while the file is on its way, so that it may be as long as it is.

use std::io;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, LINK};
use axum::response::Response;
use futures::{StreamExt, TryStreamExt, stream};
use http_body_util::BodyExt;

use super::audit::{Asked, Query};
use crate::console::api::Api;
use crate::console::session::OperatorIn;
use crate::console::stop::Stop;
use crate::http::query::Parameters;

const PATH: &str = "/v1/audit";

/// As much as one answer of the management API holds.
const MOST: u32 = 200;

/// The log as a file. What cannot be asked is refused before it begins; what fails later ends it in the middle
/// of the connection, so that no browser takes a part for the whole.
pub(super) async fn export(
    OperatorIn(signed_in): OperatorIn,
    Parameters(query): Parameters<Query>,
) -> Result<Response, Stop> {
    let asked = query.asked().in_csv(MOST);
    let first = signed_in.api.answer(PATH, &asked).await?;
    Ok(whole(signed_in.api, asked, first))
}

/// The first page, and all that follow it.
fn whole(api: Api, asked: Asked, first: Response) -> Response {
    let (mut parts, body) = first.into_parts();
    let next = next(&parts.headers);
    parts.headers.remove(LINK);
    parts.headers.remove(CONTENT_LENGTH);
    let rest = stream::try_unfold((api, asked, next), |(api, mut asked, next)| async move {
        let Some(cursor) = next else { return Ok(None) };
        asked.cursor = Some(cursor);
        let (lines, next) = page(&api, &asked).await?;
        Ok::<_, io::Error>(Some((lines, (api, asked, next))))
    });
    let first = TryStreamExt::map_err(body.into_data_stream(), io::Error::other);
    Response::from_parts(parts, Body::from_stream(first.chain(rest)))
}

/// A page that is not the first: its lines, and where the next one begins.
async fn page(api: &Api, asked: &Asked) -> io::Result<(Bytes, Option<String>)> {
    let answer = api.continued(PATH, asked).await;
    // Why is in the log: the part of the process that refused has written it.
    let answer = answer.map_err(|_| io::Error::other("the audit log cannot be read on"))?;
    let next = next(answer.headers());
    let body = answer.into_body().collect().await;
    let text = body.map_err(io::Error::other)?.to_bytes();
    Ok((without_names(text), next))
}

/// Without the line of names, which the first page has.
fn without_names(text: Bytes) -> Bytes {
    let end = text.iter().position(|byte| *byte == b'\n');
    text.slice(end.map_or(text.len(), |end| end + 1)..)
}

/// The cursor of the page that a link leads to (RFC 8288).
fn next(headers: &HeaderMap) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (uri, _) = link.strip_prefix('<')?.split_once('>')?;
    let (_, query) = uri.split_once('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, cursor) = pairs.find(|(name, _)| name == "cursor")?;
    Some(cursor.into_owned())
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::Request;
    use axum::http::{HeaderValue, StatusCode};
    use axum::response::IntoResponse;
    use axum::routing::get;
    use uuid::Uuid;

    use super::*;
    use crate::console::session::{Person, Role};

    /// An API of three pages, of which the last is refused if it is to be.
    fn api(fails: bool) -> Api {
        let answer = move |request: Request| async move {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let (lines, next) = match query.rsplit_once("cursor=").map(|(_, cursor)| cursor) {
                None => ("at,who\r\n1,a\r\n", Some("b&c")),
                Some("b%26c") => ("at,who\r\n2,\"b\nb\"\r\n", Some("d")),
                Some(_) if fails => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
                Some(_) => ("at,who\r\n3,c\r\n", None),
            };
            let mut response = lines.into_response();
            if let Some(next) = next {
                let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
                let link = format!("</v1/audit?limit=200&cursor={next}>; rel=\"next\"");
                let link = HeaderValue::try_from(link).expect("a link");
                response.headers_mut().insert(LINK, link);
            }
            response
        };
        let person = Person {
            id: Uuid::nil(),
            email: "ada@example.org".to_owned(),
            role: Role::Operator,
        };
        let (parts, ()) = Request::new(()).into_parts();
        Api::new(Router::new().route(PATH, get(answer)), person, &parts)
    }

    async fn exported(api: Api) -> Result<Bytes, axum::Error> {
        let asked = Query::default().asked();
        let first = api.answer(PATH, &asked).await.expect("the first page");
        let file = whole(api, asked, first);
        assert!(file.headers().get(LINK).is_none());
        Ok(file.into_body().collect().await?.to_bytes())
    }

    #[tokio::test]
    async fn pages_are_one_file_with_one_line_of_names() {
        let file = exported(api(false)).await.expect("all of it");
        assert_eq!(file, "at,who\r\n1,a\r\n2,\"b\nb\"\r\n3,c\r\n");
    }

    #[tokio::test]
    async fn a_part_is_never_taken_for_the_whole() {
        exported(api(true)).await.expect_err("the end is missing");
    }
}
