//! The engine against a primary that the tests can hold, cut and rewind.

#![allow(unreachable_pub, reason = "a test has no outside")]

mod bounds;
mod checks;
mod hints;
mod node;
mod primary;
mod proof;
mod races;
