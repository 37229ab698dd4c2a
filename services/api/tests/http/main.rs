//! The real API, asked over HTTP, against a private Postgres and a private NATS.
//!
//! One program for all subjects, so that they share one Postgres server.

mod accounts;
mod availability;
mod bad_input;
mod callers;
mod forward_auth;
mod jwt;
mod raw;
mod revocation;
mod shutdown;
mod support;
mod tokens_change;
mod tokens_issue;
mod tokens_list;
mod tokens_rotate;
mod verify;
