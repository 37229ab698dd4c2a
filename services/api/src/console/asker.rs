//! Whoever asks and what their form says, as soon as that is known: so that a refusal is a page like the others,
//! with the way to the rest of the console, and a form that could not be done is not lost.

use std::fmt;
use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use super::Console;
use super::refused::is_refusal;
use super::session::{self, Person, cookie};

/// Fields that are shown to nobody, not even to who filled them in.
const SECRET: [&str; 3] = ["current", "password", "repeated"];

/// Takes in who asks. An extension of each request; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Asker(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: OnceLock<Known>,
    sent: OnceLock<Sent>,
}

/// Somebody who is signed in.
#[derive(Debug)]
pub(super) struct Known {
    /// Who.
    pub(super) person: Person,
    /// What every form of theirs carries.
    pub(super) form_token: String,
}

/// A form that a page of our own sent.
pub(super) struct Sent {
    /// By name, in their order.
    pub(super) fields: Vec<(String, String)>,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sent(..)")
    }
}

impl Asker {
    /// Takes in who sent the request with these parts.
    pub(super) fn is(parts: &Parts, person: &Person, form_token: &str) {
        if let Some(asker) = parts.extensions.get::<Self>() {
            asker.take(person, form_token);
        }
    }

    /// Takes in who sent the request.
    pub(super) fn take(&self, person: &Person, form_token: &str) {
        self.0.known.get_or_init(|| Known {
            person: person.clone(),
            form_token: form_token.to_owned(),
        });
    }

    /// Takes in the body of the request with these parts, which a page of our own sent; not if there is a
    /// password in it.
    pub(super) fn sent(parts: &Parts, body: &[u8]) {
        let fields: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
        let is_secret = fields
            .iter()
            .any(|(name, _)| SECRET.contains(&name.as_str()));
        if let (Some(Self(asker)), false) = (parts.extensions.get(), is_secret) {
            asker.sent.get_or_init(|| Sent { fields });
        }
    }

    /// Who it is, where that is known.
    pub(super) fn known(&self) -> Option<&Known> {
        self.0.known.get()
    }

    /// What they sent, where it may be shown.
    pub(super) fn form(&self) -> Option<&Sent> {
        self.0.sent.get()
    }
}

/// Finds out who asks where a request was refused before that: of a form, the path is read first, and some
/// addresses have no page at all. Who it is stays open where the database does not answer.
pub(super) async fn layer(
    State(console): State<Console>,
    request: Request,
    next: Next,
) -> Response {
    let asker = request.extensions().get::<Asker>().cloned();
    let secret = cookie::read(request.headers());
    let response = next.run(request).await;
    let is_open = response.status().is_client_error() && is_refusal(&response);
    let asker = asker.filter(|asker| is_open && asker.known().is_none());
    if let Some((asker, secret)) = asker.zip(secret)
        && let Ok(Some(person)) = session::person(&console, &secret).await
    {
        asker.take(&person, &secret.form_token());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &str) -> Option<Vec<(String, String)>> {
        let asker = Asker::default();
        let request = Request::builder().extension(asker.clone()).body(());
        let (parts, ()) = request.expect("a request").into_parts();
        Asker::sent(&parts, body.as_bytes());
        asker.form().map(|sent| sent.fields.clone())
    }

    #[test]
    fn a_form_is_kept_as_it_was_sent_but_for_passwords() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = vec![pair("id", "1"), pair("id", "2"), pair("name", "a&b\r\nc")];
        assert_eq!(kept("id=1&id=2&name=a%26b%0D%0Ac"), Some(expected));
        assert_eq!(kept("name=x&password=secret"), None);
        assert_eq!(kept("current=secret"), None);
    }
}
