//! Sends events to webhooks: at least once, in the order of the log for each webhook, by its cursor.
//!
//! A webhook is leased by one process at a time. Its cursor moves when the endpoint has taken an
//! event, so an event may arrive twice but never not at all; `webhook-id` is the same each time.
//! One that takes nothing is tried less and less often and holds up no other; one whose secret this
//! process cannot open is left to those who can. An endpoint is somebody
//! else's program at an address that somebody else chose: nothing it answers is followed, and no
//! address but public and allowed ones is ever connected to.

pub(super) mod address;
mod keys;
mod schedule;
mod send;
mod sign;
mod step;
mod trace;
mod turn;
mod worker;

pub use worker::Worker;
