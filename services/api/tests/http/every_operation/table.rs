//! `docs/operations.md` is true.
