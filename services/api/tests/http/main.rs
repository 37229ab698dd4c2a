//! The real API, asked over HTTP, against a private Postgres and a private NATS.
//!
//! One program for all subjects, so that they share one Postgres server.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

mod accounts;
mod accounts_delete;
mod address_rules;
mod addresses;
mod attacks;
mod audit;
mod availability;
mod bad_input;
mod browser;
mod bulk_revoke;
mod callers;
mod cascade;
mod completeness;
mod conformance;
mod dead_letters;
mod description;
mod every_operation;
mod ext_authz;
mod feed_waits;
mod forward_auth;
mod forward_auth_jwt;
mod history;
mod idempotency;
mod import_conflicts;
mod jwks;
mod jwt;
mod leaks;
mod legacy;
mod limit_rules;
mod metrics;
mod nodes;
mod nodes_usage;
mod oauth;
mod past;
mod proof;
mod protection;
mod quota_rules;
mod quota_uses;
mod quotas;
mod races;
mod rate_limits;
mod raw;
mod receipts;
mod relay;
mod revocation;
mod self_service;
mod shutdown;
mod support;
mod tls;
mod tokens_change;
mod tokens_import;
mod tokens_issue;
mod tokens_limit;
mod tokens_list;
mod tokens_rotate;
mod tokens_sorted;
mod usage;
mod verify;
mod verify_batch;
mod warm_start;
mod webhooks;
