//! An attempt that was refused, and what of it is alike to others.

use std::net::IpAddr;

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use tollkeeper_check::kept;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_runtime::settings::UsageIp;
use uuid::Uuid;

/// An attempt that was refused.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) at: DateTime<Utc>,
    /// In what it is like others.
    pub(crate) kind: Kind,
    pub(crate) account: Option<AccountId>,
    pub(crate) network: Option<String>,
    /// What it was about, where its path names that by an id.
    pub(crate) subject: Option<Uuid>,
    pub(crate) request_id: String,
}

/// What attempts that are told together have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub(crate) who: Who,
    /// Method and route.
    pub(crate) operation: [&'static str; 2],
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
}

/// Who tried.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// Somebody whose credential is known, as the log names them.
    Known(String),
    /// Somebody from this network, as far as it may be kept.
    Stranger(Option<String>),
}

/// The /24 or /48 of an address, where so much of it may be kept.
pub(crate) fn network(address: Option<IpAddr>, policy: UsageIp) -> Option<String> {
    if policy == UsageIp::None {
        return None;
    }
    let network = kept(address?, UsageIp::Network)?;
    let bits = if network.is_ipv4() { 24 } else { 48 };
    Some(format!("{network}/{bits}"))
}
