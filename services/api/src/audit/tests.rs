//! What is summed up: everything is counted, and there is an end to it.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use tollkeeper_read_model::audit::Refusal;
use tollkeeper_runtime::settings::UsageIp;

use super::attempt::{Attempt, Kind, Who, network};
use super::refusals::{KNOWN, MOST, OF_ONE, STRANGERS, Tally};

fn beginning() -> DateTime<Utc> {
    "2026-03-01T10:00:00Z".parse().unwrap()
}

fn attempt(at: DateTime<Utc>, who: Who, operation: &'static str) -> Attempt {
    Attempt {
        at,
        kind: Kind {
            who,
            operation: ["GET", operation],
            status: StatusCode::FORBIDDEN,
            code: "INSUFFICIENT_SCOPE",
        },
        account: None,
        network: None,
        subject: None,
        request_id: "request".to_owned(),
    }
}

fn stranger(number: usize) -> Who {
    Who::Stranger(Some(format!("10.{}.{}.0/24", number / 256, number % 256)))
}

fn known(number: usize) -> Who {
    Who::Known(format!("token:{number}"))
}

/// Everything that a database would have been told.
#[derive(Default)]
struct Table(std::collections::BTreeMap<i64, Refusal>);

impl Table {
    /// Takes what is unwritten, all of it.
    fn take(&mut self, tally: &mut Tally, now: DateTime<Utc>) {
        loop {
            let rows = tally.unwritten(100);
            if rows.is_empty() {
                break;
            }
            tally.written(&rows, now);
            self.0.extend(rows.into_iter().map(|row| (row.serial, row)));
        }
        tally.written(&[], now);
    }

    fn attempts(&self) -> i64 {
        self.0.values().map(|row| row.count).sum()
    }
}

#[test]
fn alike_attempts_of_a_minute_are_one_row() {
    let (mut tally, mut table, at) = (Tally::default(), Table::default(), beginning());
    let seconds = |seconds| at + TimeDelta::seconds(seconds);
    for second in [0, 7, 59] {
        assert!(tally.add(attempt(seconds(second), known(1), "/v1/tokens")));
        table.take(&mut tally, seconds(second));
    }
    assert!(tally.add(attempt(seconds(60), known(1), "/v1/tokens")));
    assert!(tally.add(attempt(seconds(60), known(1), "/v1/usage")));
    assert!(tally.add(attempt(seconds(60), stranger(1), "/v1/usage")));
    table.take(&mut tally, seconds(61));
    let first = &table.0[&1];
    assert_eq!((first.first_at, first.last_at), (at, seconds(59)));
    let counts: Vec<i64> = table.0.values().map(|row| row.count).collect();
    assert_eq!(counts, [3, 1, 1, 1]);
    // Of the minute that is over nothing stays.
    assert_eq!(tally.held(), 3);
    table.take(&mut tally, seconds(120));
    assert_eq!((tally.held(), tally.left()), (0, 0));
}

#[test]
fn strangers_do_not_push_out_those_who_are_known() {
    let (mut tally, at) = (Tally::default(), beginning());
    for number in 0..10_000 {
        tally.add(attempt(at, stranger(number), "/v1/tokens"));
    }
    assert_eq!(tally.held(), STRANGERS + 1);
    for number in 0..KNOWN {
        assert!(tally.add(attempt(at, known(number), "/v1/tokens")));
    }
    assert!(!tally.add(attempt(at, known(KNOWN), "/v1/tokens")));
    // Those who have a row already go on in it.
    assert!(tally.add(attempt(at, stranger(0), "/v1/tokens")));
    assert_eq!(tally.held(), STRANGERS + KNOWN + 1);

    let mut table = Table::default();
    table.take(&mut tally, at);
    assert_eq!(table.attempts(), 10_000 + 200 + 1 + 1);
    let left_out: Vec<&Refusal> = table
        .0
        .values()
        .filter(|row| row.refused.is_none())
        .collect();
    let [left_out] = left_out[..] else {
        panic!("one row tells of what is left out: {left_out:?}");
    };
    assert_eq!(left_out.count, 10_000 - 60 + 1);
}

#[test]
fn nobody_has_more_than_their_share_of_the_rows() {
    const ROUTES: [&str; 25] = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r",
        "s", "t", "u", "v", "w", "x", "y",
    ];
    let (mut tally, at) = (Tally::default(), beginning());
    let told = ROUTES.map(|route| tally.add(attempt(at, known(1), route)));
    assert_eq!(told.into_iter().filter(|told| *told).count(), OF_ONE);
    assert!(tally.add(attempt(at, known(2), "a")));
}

#[test]
fn while_nothing_can_be_written_memory_has_an_end_and_everything_is_counted() {
    let (mut tally, at) = (Tally::default(), beginning());
    let mut attempts = 0;
    for minute in 0..1000 {
        for number in 0..100 {
            let at = at + TimeDelta::minutes(minute);
            tally.add(attempt(at, stranger(number), "/v1/tokens"));
            attempts += 1;
        }
    }
    assert!(tally.held() <= 2 * MOST, "{}", tally.held());
    assert_eq!(tally.left(), attempts);
    let now = at + TimeDelta::minutes(1000);
    let mut table = Table::default();
    table.take(&mut tally, now);
    assert_eq!(table.attempts(), attempts);
    let last = table.0.values().map(|row| row.last_at).max().unwrap();
    assert_eq!(last, at + TimeDelta::minutes(999));
    assert_eq!((tally.held(), tally.left()), (0, 0));
    assert!(tally.add(attempt(now, stranger(0), "/v1/tokens")));
}

proptest! {
    #[test]
    fn however_they_come_and_are_written_each_is_counted_once(
        steps in prop::collection::vec(
            (0..300_i64, 0..90_usize, any::<bool>(), 0..6_u8), 1..600,
        ),
    ) {
        let (mut tally, mut table) = (Tally::default(), Table::default());
        let mut attempts = 0;
        let mut now = beginning();
        for (second, number, is_known, then) in steps {
            // Clocks of threads differ a little.
            let at = beginning() + TimeDelta::seconds(second);
            now = now.max(at);
            let who = if is_known { known(number) } else { stranger(number) };
            tally.add(attempt(at, who, "/v1/tokens"));
            attempts += 1;
            match then {
                0 => table.take(&mut tally, now),
                // A batch that is written though nobody is told, and so again later.
                1 => {
                    let rows = tally.unwritten(7);
                    table.0.extend(rows.into_iter().map(|row| (row.serial, row)));
                }
                _ => {}
            }
            prop_assert!(table.attempts() <= attempts);
        }
        table.take(&mut tally, now);
        prop_assert_eq!(table.attempts(), attempts);
        prop_assert_eq!(tally.left(), 0);
        let serials: HashSet<i64> = table.0.values().map(|row| row.serial).collect();
        prop_assert_eq!(serials.len(), table.0.len());
    }
}

#[test]
fn an_address_is_kept_as_its_network_or_not_at_all() {
    let of = |text: &str, policy| network(Some(text.parse().unwrap()), policy);
    assert_eq!(of("192.0.2.77", UsageIp::Full).unwrap(), "192.0.2.0/24");
    assert_eq!(of("192.0.2.77", UsageIp::Network).unwrap(), "192.0.2.0/24");
    assert_eq!(
        of("2001:db8:1:2::7", UsageIp::Full).unwrap(),
        "2001:db8:1::/48"
    );
    assert_eq!(
        of("::ffff:192.0.2.1", UsageIp::Full).unwrap(),
        "192.0.2.0/24"
    );
    assert_eq!(of("192.0.2.77", UsageIp::None), None);
    assert_eq!(network(None, UsageIp::Full), None);
    let loopback = IpAddr::V6(Ipv6Addr::LOCALHOST);
    assert_eq!(network(Some(loopback), UsageIp::Full).unwrap(), "::/48");
}
