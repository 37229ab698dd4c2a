//! Each alert fires under its fault, says what is the matter, and ends when the fault is mended.
//!
//! Programs, servers and Prometheus are the real ones, and so are the faults; only how far rules look back
//! and how long they wait is shorter: see `tollkeeper_dashboards::shorter`. What was seen is printed as a table.

#![allow(clippy::unwrap_used, reason = "a test")]

mod books;
mod broker;
mod clocks;
mod database;
mod processes;

use std::collections::BTreeMap;
use std::time::Duration;

use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_dashboards::files::alerts;
use tollkeeper_dashboards::world::World;

/// What became of the alerts of a test.
#[derive(Default)]
struct Seen {
    /// When each fired.
    firing: BTreeMap<&'static str, Duration>,
    table: Vec<String>,
}

impl Seen {
    /// Nothing of these fires before its fault.
    async fn quiet(world: &World, alerts: &[&'static str]) -> Self {
        for alert in alerts {
            assert!(world.firing(alert).await.is_none(), "{alert} fires already");
        }
        Self::default()
    }

    /// Waits until an alert fires. What it says must be whole.
    async fn fires(&mut self, world: &World, name: &'static str) {
        let since = SystemClock.boot_time();
        let alert = world.fires(name).await;
        let known = alerts().into_iter().find(|it| it.name == name).unwrap();
        assert_eq!(alert.labels["severity"], known.severity);
        let says = &alert.annotations;
        // Nobody has said where else they can be read.
        assert_eq!(
            says["runbook_url"],
            format!("docs/runbooks/{}", known.runbook)
        );
        for text in says.values() {
            assert!(
                !text.contains("<no value>") && !text.contains("<error"),
                "{says:#?}"
            );
        }
        let now = SystemClock.boot_time();
        self.firing.insert(name, now);
        let after = now.saturating_sub(since).as_secs_f64();
        self.table.push(format!(
            "{name:<44} fired   {after:>5.1} s  {}",
            says["summary"]
        ));
    }

    /// Waits until an alert that fired has ended.
    async fn clears(&mut self, world: &World, name: &'static str) {
        self.firing.remove(name).unwrap();
        let since = SystemClock.boot_time();
        world.clears(name).await;
        let after = SystemClock.boot_time().saturating_sub(since).as_secs_f64();
        self.table
            .push(format!("{name:<44} cleared {after:>5.1} s"));
    }

    /// Prints the table for the person who looks.
    #[allow(clippy::print_stdout, reason = "the table is what the test is for")]
    fn end(self) {
        assert!(self.firing.is_empty(), "{:?} never ended", self.firing);
        println!("{}", self.table.join("\n"));
    }
}

#[test]
fn every_alert_has_a_test_here() {
    let tests = [
        include_str!("books.rs"),
        include_str!("broker.rs"),
        include_str!("clocks.rs"),
        include_str!("database.rs"),
        include_str!("processes.rs"),
    ];
    for alert in alerts() {
        let name = format!("\"{}\"", alert.name);
        assert!(tests.iter().any(|text| text.contains(&name)), "{name}");
    }
}
