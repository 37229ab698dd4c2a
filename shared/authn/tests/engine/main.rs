//! The engine against a primary that the tests can hold, cut and rewind.

mod bounds;
mod checks;
mod hints;
mod node;
mod primary;
mod proof;
mod races;
