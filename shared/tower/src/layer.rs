//! The layer: checks a request before the inner service sees it, and counts it after.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use tollkeeper_authn::{Requirement, Verification};
use tollkeeper_check::{CheckHeaders, Credential, LimitHeaders, Refusal, Way, own_request_id};
use tollkeeper_domain::scope::{BadScope, Scope};
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::verdict::Verdict;
use tower::{Layer, Service};
use tracing::Instrument;

use crate::call::Call;
use crate::caller::{Caller, Peer};
use crate::gate::Shared;
use crate::span;

/// What the headers by which proxies are told who calls begin with.
const OURS: &[u8] = b"x-tollkeeper-";

/// Puts a gate's check before a service. Made by [`Gate::layer`](crate::Gate::layer).
///
/// Layers that answer without a credential, such as those for the preflight requests of CORS, belong
/// outside of it.
#[derive(Debug, Clone)]
pub struct GateLayer {
    gate: Arc<Shared>,
    demand: Arc<Demand>,
}

/// What a layer demands of a token.
#[derive(Debug, Clone, Default)]
struct Demand {
    scopes: Vec<Scope>,
    environment: Option<Environment>,
    cost: Option<u32>,
}

impl GateLayer {
    pub(crate) fn new(gate: Arc<Shared>) -> Self {
        Self {
            gate,
            demand: Arc::default(),
        }
    }

    /// Demands these scopes, all of them, beside those demanded before.
    ///
    /// # Errors
    /// [`BadScope`] if one is none.
    pub fn scopes<'a>(
        mut self,
        scopes: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, BadScope> {
        let scopes = scopes.into_iter().map(str::parse);
        let scopes: Vec<Scope> = scopes.collect::<Result<_, _>>()?;
        Arc::make_mut(&mut self.demand).scopes.extend(scopes);
        Ok(self)
    }

    /// Demands a token of this environment.
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        Arc::make_mut(&mut self.demand).environment = Some(environment);
        self
    }

    /// How many times over a request is charged to each rate limit of the token: once if nothing is
    /// said, or not at all within another layer of the same gate, which has charged it. With 0 it is
    /// charged to none, and refused by none.
    ///
    /// It takes as many uses of each quota. Within another layer it takes none, whatever is said here: a
    /// use is counted once, at the cost of the outermost layer.
    #[must_use]
    pub fn cost(mut self, cost: u32) -> Self {
        Arc::make_mut(&mut self.demand).cost = Some(cost);
        self
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated {
            inner,
            gate: Arc::clone(&self.gate),
            demand: Arc::clone(&self.demand),
        }
    }
}

/// A service behind a [`GateLayer`].
#[derive(Debug, Clone)]
pub struct Gated<S> {
    inner: S,
    gate: Arc<Shared>,
    demand: Arc<Demand>,
}

impl<S, B, R> Service<Request<B>> for Gated<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was polled is the one that is ready.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let (gate, demand) = (Arc::clone(&self.gate), Arc::clone(&self.demand));
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let span = span::of(&gate, &parts.headers);
            let checked = check(&gate, &demand, &mut parts).instrument(span.clone());
            let checked = checked.await;
            span.record("code", code(&checked));
            drop(span);
            let Passed { call, limits } = match checked {
                Ok(passed) => passed,
                Err(refused) => return Ok(refused.answer(&gate, &parts.headers)),
            };
            let mut answered = inner.call(Request::from_parts(parts, body)).await;
            if let (Ok(response), Some(limits)) = (&mut answered, limits)
                && !response.headers().contains_key(LimitHeaders::STATE)
            {
                limits.add_to(response.headers_mut());
            }
            if let Some(call) = call {
                let (status, verdict) = match &answered {
                    Ok(response) => (response.status(), refused_within(&gate, response)),
                    Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, None),
                };
                // What was done is answered: to withhold it would have it done again.
                let _full = call.count(status.as_u16(), verdict.unwrap_or(Verdict::Valid));
            }
            answered
        })
    }
}

/// The verdict's code; none where there was no token to be judged.
fn code(checked: &Result<Passed, Refused>) -> Option<&'static str> {
    match checked {
        Ok(_) => Some(Verdict::Valid.code()),
        Err(refused) => refused.verdict.map(Verdict::code),
    }
}

/// A request that may pass.
struct Passed {
    /// To be counted with the answer; none where a layer further out counts it.
    call: Option<Call>,
    /// What is left of the token's limits, for the answer.
    limits: Option<LimitHeaders>,
}

/// Why a request does not reach the inner service.
struct Refused {
    refusal: Refusal,
    verdict: Option<Verdict>,
}

/// An extension of an answer that a layer has made: how a layer outside of it learns of the verdict.
#[derive(Debug, Clone)]
struct Judged {
    gate: Arc<Shared>,
    verdict: Verdict,
}

impl Refused {
    fn answer<R: From<Bytes>>(self, gate: &Arc<Shared>, headers: &HeaderMap) -> Response<R> {
        let mut response = match own_request_id(headers) {
            Some(id) => self.refusal.answer(id),
            None => self.refusal.answer(&gate.new_id().to_string()),
        };
        if let Some(verdict) = self.verdict {
            let gate = Arc::clone(gate);
            response.extensions_mut().insert(Judged { gate, verdict });
        }
        response.map(R::from)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            verdict: None,
        }
    }
}

/// The verdict of a layer of the same gate further in, where that one refused.
fn refused_within<R>(gate: &Arc<Shared>, response: &Response<R>) -> Option<Verdict> {
    let judged = response.extensions().get::<Judged>();
    let judged = judged.filter(|judged| Arc::ptr_eq(&judged.gate, gate));
    judged.map(|judged| judged.verdict)
}

/// Judges a request, and gets it ready for the inner service if it may pass.
async fn check(
    gate: &Arc<Shared>,
    demand: &Demand,
    request: &mut Parts,
) -> Result<Passed, Refused> {
    let began = gate.clock.boot_time();
    let (credential, way) = {
        let (headers, peer) = (
            CheckHeaders::of(&request.headers),
            Peer::of(&request.extensions),
        );
        let way = peer.map(|Peer(peer)| headers.way(peer.ip(), &gate.trusted_proxies));
        (headers.credential(), way)
    };
    let token = match credential {
        Some(Credential::Key(token) | Credential::Bearer(token)) => token,
        Some(Credential::Jwt(_)) => return Err(Refusal::jwt().into()),
        None => return Err(Refusal::unauthenticated().into()),
    };
    if way.is_none() {
        gate.warn_of_no_address();
    }
    let outer = request.extensions.get::<Caller>();
    let is_counted = outer.is_some_and(|outer| outer.passed(gate));
    let cost = demand.cost.unwrap_or(u32::from(!is_counted));
    let scopes: Vec<&str> = demand.scopes.iter().map(Scope::as_str).collect();
    let requirement = Requirement {
        environment: demand.environment,
        client: way.and_then(Way::client).into(),
        scopes: &scopes,
        cost,
        counted: !is_counted,
        ..Requirement::default()
    };
    let verification = match gate.engine.try_verify(token, &requirement) {
        Ok(verification) => verification,
        Err(miss) => gate.engine.resolve(miss, &requirement).await,
    };
    let caller = Caller::of(&verification, gate);
    let call = caller.as_ref().filter(|_| !is_counted).map(|_| {
        let farthest = way.map(|way| way.farthest);
        Call::new(gate, &verification, began, request, farthest)
    });
    let Some(caller) = caller.filter(|_| verification.is_valid()) else {
        return Err(refused(&verification, call, &scopes));
    };
    match call {
        // Now and not when it is done.
        Some(call) if gate.spool.refuses() => {
            call.refuse();
            Err(uncountable())
        }
        call => {
            strip(&mut request.headers);
            request.extensions.insert(caller);
            let charged = (cost > 0).then_some(&verification);
            let limits = charged.and_then(LimitHeaders::of);
            Ok(Passed { call, limits })
        }
    }
}

fn refused(verification: &Verification, call: Option<Call>, scopes: &[&str]) -> Refused {
    let verdict = verification.verdict;
    let status = verdict.status();
    if let Some(call) = call
        && call.count(status, verdict).is_err()
    {
        return uncountable();
    }
    Refused {
        refusal: Refusal::of(verdict, status, &scopes.join(" ")).by_limits(verification),
        verdict: Some(verdict),
    }
}

/// The spool is full, and was told to refuse then.
fn uncountable() -> Refused {
    let verdict = Verdict::Unavailable;
    Refused {
        refusal: Refusal::unavailable().told(verdict),
        verdict: Some(verdict),
    }
}

/// Takes out what only a proxy of ours may say, in every spelling that an application could read as
/// ours.
fn strip(headers: &mut HeaderMap) {
    let is_ours = |name: &&HeaderName| {
        let name = name.as_str().as_bytes();
        let same = |(byte, ours): (&u8, &u8)| byte == ours || (*ours == b'-' && *byte == b'_');
        name.len() >= OURS.len() && name.iter().zip(OURS).all(same)
    };
    let forged: Vec<HeaderName> = headers.keys().filter(is_ours).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_says_who_calls_is_taken_out_in_every_spelling() {
        let mut headers = HeaderMap::new();
        for name in [
            "x-tollkeeper-token-id",
            "x_tollkeeper_account_id",
            "x-tollkeeper-",
            "x-tollkeepers",
            "x-tollkeeper",
            "x-request-id",
        ] {
            let name = HeaderName::from_static(name);
            headers.append(name.clone(), HeaderValue::from_static("1"));
            headers.append(name, HeaderValue::from_static("2"));
        }
        strip(&mut headers);
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left.len(), 3, "{left:?}");
        assert!(left.contains(&"x-tollkeepers") && left.contains(&"x-tollkeeper"));
    }
}
