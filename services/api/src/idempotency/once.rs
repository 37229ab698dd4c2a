//! The extractor of a request that may carry a key, and what becomes of it.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::answer::{Answer, Withheld, filled};
use super::claim::{Claim, Held, purpose};
use super::header;
use super::store::{self, Id, Kept};
use crate::app::App;
use crate::caller::Caller;
use crate::http::body::read_all;
use crate::http::problem::Problem;

/// Marks an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How often a key is looked at that others release or take over meanwhile.
const ATTEMPTS: usize = 3;

/// A body, and the key that the request carries, if it carries one. Without a key it costs nothing.
#[derive(Debug)]
pub(crate) struct Once<B>(pub(crate) Key, pub(crate) B);

/// The key of a request, if it carries one.
#[derive(Debug)]
pub(crate) struct Key(Option<Asked>);

#[derive(Debug)]
struct Asked {
    key: String,
    /// Method and path, and so the target's id where there is one.
    route: String,
    /// SHA-256 of method, path, query and the bytes of the body.
    fingerprint: [u8; 32],
}

impl<B: FromRequest<App, Rejection = Problem>> FromRequest<App> for Once<B> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let Some(key) = header::key(request.headers())? else {
            return Ok(Self(Key(None), B::from_request(request, app).await?));
        };
        let (parts, body) = request.into_parts();
        let bytes = read_all(Request::from_parts(parts.clone(), body), app).await?;
        let route = format!("{} {}", parts.method, parts.uri.path());
        let query = parts.uri.query().unwrap_or_default();
        let asked = Asked {
            key,
            fingerprint: fingerprint(&route, query, &bytes),
            route,
        };
        let request = Request::from_parts(parts, Body::from(bytes));
        Ok(Self(Key(Some(asked)), B::from_request(request, app).await?))
    }
}

/// Neither a path nor a query holds U+0000.
fn fingerprint(route: &str, query: &str, body: &Bytes) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [route.as_bytes(), b"\0", query.as_bytes(), b"\0", body] {
        hash.update(part);
    }
    hash.finalize().into()
}

impl Key {
    /// Does `work`, or gives the answer that was kept of it. `work` keeps its answer by the claim
    /// that it is handed.
    ///
    /// # Errors
    /// Those of `work`, after which the key is free again; 409 while another request with this key
    /// is under way, 422 if it was used for another request.
    pub(crate) async fn once<F>(
        self,
        app: &App,
        caller: &Caller,
        work: impl FnOnce(Claim) -> F,
    ) -> Result<Response, Problem>
    where
        F: Future<Output = Result<Answer, Problem>>,
    {
        let answer = self.answer_once(app, caller, work).await;
        answer.map(Answer::into_response)
    }

    /// As [`Key::once`], for those who have something to add to the answer, kept or not.
    pub(crate) async fn answer_once<F>(
        self,
        app: &App,
        caller: &Caller,
        work: impl FnOnce(Claim) -> F,
    ) -> Result<Answer, Problem>
    where
        F: Future<Output = Result<Answer, Problem>>,
    {
        let Some(asked) = self.0 else {
            return work(Claim::none()).await;
        };
        let held = match asked.reserve(app, caller).await? {
            Reserved::Before(kept) => return Ok(kept),
            Reserved::Now(held) => held,
        };
        let outcome = work(Claim::of(held.clone())).await;
        match &outcome {
            Ok(_) => held.answered(),
            // A corrected request must find the key free.
            Err(problem) if !problem.is_our_fault() => held.release().await,
            // The database may be away: nobody should wait for it once more.
            Err(_) => {}
        }
        outcome
    }
}

enum Reserved {
    /// It was answered before.
    Before(Answer),
    /// It is this request's.
    Now(Arc<Held>),
}

impl Asked {
    async fn reserve(self, app: &App, caller: &Caller) -> Result<Reserved, Problem> {
        let id = Id {
            caller: scope(caller),
            route: self.route,
            key: self.key,
        };
        let holder = app.new_id();
        let pool = &app.pool;
        let mut is_ours = false;
        for _ in 0..ATTEMPTS {
            is_ours = store::reserve(pool, &id, &self.fingerprint, holder).await?;
            if is_ours {
                break;
            }
            let Some(row) = store::find(pool, &id).await? else {
                continue;
            };
            if row.is_over {
                let holders = (row.holder, holder);
                is_ours = store::take_over(pool, &id, &self.fingerprint, holders).await?;
                if is_ours {
                    break;
                }
                continue;
            }
            if row.fingerprint != self.fingerprint {
                return Err(Problem::key_reused());
            }
            return match row.answer {
                Some(kept) => replay(app, &id, kept).map(Reserved::Before),
                None => Err(Problem::in_flight()),
            };
        }
        if is_ours {
            Ok(Reserved::Now(Arc::new(Held::new(app, id, holder))))
        } else {
            Err(Problem::in_flight())
        }
    }
}

/// A name for the caller that lasts. An account holder is known by their identity, which they have
/// before their account is registered and after; hashed, as it may be personal.
fn scope(caller: &Caller) -> String {
    match caller {
        Caller::Operator { name } => format!("operator:{name}"),
        Caller::Token { id, .. } => format!("token:{id}"),
        Caller::Account { identity, .. } => {
            let mut hash = Sha256::new();
            hash.update(identity.issuer.as_bytes());
            hash.update(b"\0");
            hash.update(identity.subject.as_bytes());
            let hash: [u8; 32] = hash.finalize().into();
            let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("identity:{digits}")
        }
    }
}

/// The answer as it was given, its secret only for as long as it is sealed.
fn replay(app: &App, id: &Id, kept: Kept) -> Result<Answer, Problem> {
    let broken = || Problem::internal("a kept answer cannot be read");
    let status = u16::try_from(kept.status).ok();
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let mut headers = HeaderMap::new();
    for (name, value) in kept.headers.as_object().ok_or_else(broken)? {
        let name = name.parse::<HeaderName>().map_err(|_| broken())?;
        let value = HeaderValue::from_str(value.as_str().ok_or_else(broken)?);
        headers.insert(name, value.map_err(|_| broken())?);
    }
    let body = match &kept.secret_member {
        None => kept.body,
        Some(member) => {
            let place = match secret(app, id, &kept) {
                Ok(text) => serde_json::to_string(&text).map_err(Problem::internal)?,
                Err(reason) => {
                    let reason = serde_json::to_string(&reason).map_err(Problem::internal)?;
                    format!("null,\"withheld\":{reason}")
                }
            };
            filled(&kept.body, member, &place)
        }
    };
    let answer = Answer {
        status: status.ok_or_else(broken)?,
        headers,
        body,
        secret: None,
        profile_of: None,
    };
    Ok(answer.with(REPLAYED, HeaderValue::from_static("true")))
}

/// The secret that was sealed, or why it is shown no more.
fn secret(app: &App, id: &Id, kept: &Kept) -> Result<String, Withheld> {
    if kept.is_late {
        return Err(Withheld::TooLate);
    }
    let sealed = kept.sealed.as_ref().ok_or(Withheld::NoSealKey)?;
    let sealer = app.sealer.as_ref().ok_or(Withheld::NoSealKey)?;
    let opened = sealer.open(&purpose(id, &kept.body), sealed);
    let opened = opened.map_err(|_| Withheld::SealKeyGone)?;
    String::from_utf8(opened.to_vec()).map_err(|_| Withheld::SealKeyGone)
}
