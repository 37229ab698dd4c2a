//! Who calls, as the inner service learns it, and where from.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use http::Extensions;
use tollkeeper_authn::{Identity, Verification};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::scope::ScopeSet;
use tollkeeper_domain::secret::Environment;

use crate::gate::Shared;

/// Whose token passed: an extension of each request that reaches the inner service. Clones share it.
#[derive(Debug, Clone)]
pub struct Caller {
    verification: Verification,
    gate: Arc<Shared>,
}

impl Caller {
    /// The caller that was found, where the token is known.
    pub(crate) fn of(verification: &Verification, gate: &Arc<Shared>) -> Option<Self> {
        verification.identity().map(|_| Self {
            verification: verification.clone(),
            gate: Arc::clone(gate),
        })
    }

    /// Whether it was this gate that let it pass.
    pub(crate) fn passed(&self, gate: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.gate, gate)
    }

    /// The token.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.identity().token_id()
    }

    /// Its account.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        self.identity().account_id()
    }

    /// What it may be used for.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.identity().facts().scopes
    }

    /// Whether it may be used for this.
    #[must_use]
    pub fn may(&self, scope: &str) -> bool {
        self.scopes().covers(scope)
    }

    /// What kind of traffic it is for.
    #[must_use]
    pub fn environment(&self) -> Environment {
        self.identity().facts().environment
    }

    /// The version by which it was judged.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.identity().version()
    }

    fn identity(&self) -> Identity<'_> {
        let identity = self.verification.identity();
        identity.expect("a caller is made of a known token")
    }
}

/// The other end of the connection, for servers that are not axum's: an extension that they put
/// into each request. axum's `ConnectInfo<SocketAddr>` says the same. Without either nobody knows
/// where a request comes from, and a token that is bound to networks is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl Peer {
    pub(crate) fn of(extensions: &Extensions) -> Option<Self> {
        let told = extensions.get::<Self>().copied();
        told.or_else(|| {
            let connection = extensions.get::<ConnectInfo<SocketAddr>>();
            connection.map(|ConnectInfo(address)| Self(*address))
        })
    }
}
