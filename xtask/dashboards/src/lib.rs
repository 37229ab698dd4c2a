//! What the dashboards and alerts of `grafana` ask, asked of a real Prometheus and a real Postgres beside
//! all of Tollkeeper.
//!
//! Grafana itself is not needed: its files are read as it reads them ([`files`], [`grafana`]), and their
//! questions are put to the same servers ([`answers`]). The tests of this crate show that each has an answer
//! and that each alert fires and ends; `tollkeeper-dashboards` draws the answers, so that a person can look
//! at the pages.

pub mod answers;
pub mod draw;
pub mod files;
pub mod grafana;
pub mod prometheus;
pub mod shorter;
pub mod traffic;
pub mod world;
