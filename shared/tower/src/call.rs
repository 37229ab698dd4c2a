//! One request of a known token, until it is counted.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::OriginalUri;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use tollkeeper_authn::Verification;
use tollkeeper_check::{kept, own_request_id};
use tollkeeper_domain::quota::QuotaCharges;
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_usage::SpoolFull;

use crate::gate::Shared;

/// The client has hung up before there was an answer: nginx's number for it, as HTTP has none.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// A call that is counted once, whatever becomes of it: dropped without an answer, it is counted as
/// 499, or as 500 where the service panics.
#[derive(Debug)]
pub(crate) struct Call {
    gate: Arc<Shared>,
    verification: Verification,
    began: Duration,
    uri: Uri,
    method: Method,
    user_agent: Option<HeaderValue>,
    /// The one that the client gave.
    request_id: Option<String>,
    ip: Option<IpAddr>,
    /// What it took of quotas.
    cost: u32,
    charges: QuotaCharges,
    is_counted: bool,
}

impl Call {
    /// The call that a request is, begun that long after boot, from this address as far as it can be
    /// believed.
    pub(crate) fn new(
        gate: &Arc<Shared>,
        verification: &Verification,
        began: Duration,
        request: &Parts,
        farthest: Option<IpAddr>,
    ) -> Self {
        // A nested router takes the front off the path.
        let whole = request.extensions.get::<OriginalUri>();
        let uri = whole.map_or(&request.uri, |OriginalUri(uri)| uri);
        let (cost, charges) = verification.charges();
        Self {
            gate: Arc::clone(gate),
            verification: verification.clone(),
            began,
            uri: uri.clone(),
            method: request.method.clone(),
            user_agent: request.headers.get(header::USER_AGENT).cloned(),
            request_id: own_request_id(&request.headers).map(str::to_owned),
            ip: farthest.and_then(|ip| kept(ip, gate.usage_ip)),
            cost,
            charges,
            is_counted: false,
        }
    }

    /// Counts it as one that is answered `UNAVAILABLE` because the spool is full, as far as the spool can.
    /// It uses up nothing.
    pub(crate) fn refuse(mut self) {
        self.gate.engine.give_back(&self.verification);
        (self.cost, self.charges) = (1, QuotaCharges::default());
        let verdict = Verdict::Unavailable;
        let _full = self.append(verdict.status(), verdict);
    }

    /// Counts it, answered with this status.
    ///
    /// # Errors
    /// If the spool is full and was told to refuse then.
    pub(crate) fn count(mut self, status: u16, verdict: Verdict) -> Result<(), SpoolFull> {
        self.append(status, verdict)
    }

    fn append(&mut self, status: u16, verdict: Verdict) -> Result<(), SpoolFull> {
        self.is_counted = true;
        let Some(identity) = self.verification.identity() else {
            return Ok(());
        };
        let took = self.gate.clock.boot_time().saturating_sub(self.began);
        let user_agent = self.user_agent.as_ref().map(HeaderValue::as_bytes);
        self.gate.spool.append(&UsageEvent {
            token_id: identity.token_id(),
            account_id: identity.account_id(),
            token_version: identity.version(),
            endpoint: self.uri.path(),
            method: self.method.as_str(),
            status,
            verdict,
            ip: self.ip,
            user_agent: user_agent
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .unwrap_or_default(),
            request_id: self.request_id.as_deref().unwrap_or_default(),
            response_time_us: u32::try_from(took.as_micros()).unwrap_or(u32::MAX),
            at_micros: self.verification.at_micros,
            cost: self.cost,
            charges: self.charges,
        })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.is_counted {
            return;
        }
        let status = if std::thread::panicking() {
            StatusCode::INTERNAL_SERVER_ERROR.as_u16()
        } else {
            CLIENT_CLOSED_REQUEST
        };
        let verdict = self.verification.verdict;
        // The spool counts what it cannot take, and nobody is there to be refused.
        let _full = self.append(status, verdict);
    }
}
