//! Each program as a user of its own, at the broker and in the database: the whole of Tollkeeper works,
//! and what a program has no need to do, it is refused.

#![allow(clippy::unwrap_used, reason = "a test")]

mod broker;
mod database;
mod forbidden;
mod gate;
mod grants;
mod roles;
