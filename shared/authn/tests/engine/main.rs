//! The engine against a primary that the tests can hold, cut and rewind.

#![allow(unreachable_pub, reason = "a test has no outside")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod absences;
mod attacks;
mod attendance;
mod bounds;
mod checks;
mod exchange;
mod hints;
mod limits;
mod node;
mod preload;
mod primary;
mod proof;
mod quotas;
mod races;
mod world;
