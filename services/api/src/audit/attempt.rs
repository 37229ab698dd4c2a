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
pub(super) struct Attempt {
    pub(super) at: DateTime<Utc>,
    /// In what it is like others.
    pub(super) kind: Kind,
    pub(super) account: Option<AccountId>,
    pub(super) network: Option<String>,
    /// What it was about, where its path names that by an id.
    pub(super) subject: Option<Uuid>,
    pub(super) request_id: String,
}

/// What attempts that are told together have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) who: Who,
    /// Method and route.
    pub(super) operation: [&'static str; 2],
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
}

/// Who tried.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// Somebody whose credential is known, as the log names them.
    Known(String),
    /// Somebody from this network, as far as it may be kept.
    Stranger(Option<String>),
}

/// The /24 or /48 of an address, where so much of it may be kept.
pub(super) fn network(address: Option<IpAddr>, policy: UsageIp) -> Option<String> {
    if policy == UsageIp::None {
        return None;
    }
    let network = kept(address?, UsageIp::Network)?;
    let bits = if network.is_ipv4() { 24 } else { 48 };
    Some(format!("{network}/{bits}"))
}
