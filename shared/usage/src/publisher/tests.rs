//! When batches are cut, while somebody sets the wall clock forward and back, and what is sent again when the
//! ledger forgets.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tollkeeper_ambient::{Clock, SystemEntropy};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::quota::QuotaCharges;
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::FixedClock;
use uuid::Uuid;

use super::lanes::Lanes;
use super::outstanding::Reason;
use super::seen::Receipt;
use crate::ledger::{Coverage, Covered};
use crate::spool::tail::BATCH_EVENTS;
use crate::spool::{Spool, SpoolSettings};
use crate::wire::{Batch, BatchKind, decode};

const LINGER: Duration = Duration::from_millis(100);
const HOUR_MICROS: i64 = 3_600_000_000;

#[derive(Debug, Clone)]
enum Step {
    Append(u16),
    /// The wall clock is set by so many hours.
    SetWall(i64),
    /// So many milliseconds pass.
    Pass(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1_u16..400).prop_map(Step::Append),
        2 => (-48_i64..48).prop_map(Step::SetWall),
        3 => (0_u8..150).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..40)
}

/// An event that happens now; it is told from others by its token version.
fn event(number: u64, clock: &FixedClock) -> UsageEvent<'static> {
    UsageEvent {
        token_id: TokenId(Uuid::from_u128(1)),
        account_id: AccountId(Uuid::from_u128(2)),
        token_version: number,
        endpoint: "/a",
        method: "GET",
        status: 200,
        verdict: Verdict::Valid,
        ip: None,
        user_agent: "test",
        request_id: "",
        response_time_us: 5,
        at_micros: clock.wall_micros(),
        cost: 1,
        charges: QuotaCharges::default(),
    }
}

/// A lane with a clock of its own, and what is to come of it.
struct World {
    clock: Arc<FixedClock>,
    spool: Arc<Spool>,
    lanes: Lanes,
    /// When each event happened, by the wall clock.
    appended: Vec<i64>,
    sent: Vec<i64>,
    /// Since when, by the other clock, there have been events that fill no batch.
    waiting_since: Option<Duration>,
    /// What was reported to be dropped.
    dropped: Vec<(u64, u64)>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::default());
        let settings = SpoolSettings {
            lanes: 1,
            segment_bytes: 256 << 10,
            ..SpoolSettings::new(folder.path())
        };
        let spool = Spool::open(settings, clock.clone(), Arc::new(SystemEntropy)).unwrap();
        Self {
            clock,
            lanes: Lanes::new(spool.take_tails()),
            spool,
            appended: Vec::new(),
            sent: Vec::new(),
            waiting_since: None,
            dropped: Vec::new(),
            _folder: folder,
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append(count) => {
                for _ in 0..count {
                    let event = event(self.appended.len() as u64, &self.clock);
                    self.spool.append(&event).unwrap();
                    self.appended.push(event.at_micros);
                }
            }
            Step::SetWall(hours) => {
                let micros = self.clock.wall_micros() + hours * HOUR_MICROS;
                let time = chrono::DateTime::from_timestamp_micros(micros).unwrap();
                self.clock.set_wall(time);
            }
            Step::Pass(millis) => self.clock.advance(Duration::from_millis(millis.into())),
        }
    }

    fn uncut(&self) -> usize {
        self.appended.len() - self.sent.len()
    }

    /// A batch is to leave when it is full, or when its first event was seen so long ago.
    fn is_due(&mut self) -> bool {
        let now = self.clock.boot_time();
        if self.uncut() == 0 {
            self.waiting_since = None;
            return false;
        }
        let since = *self.waiting_since.get_or_insert(now);
        self.uncut() >= BATCH_EVENTS || now - since >= LINGER
    }

    /// Looks as the publisher does, and takes what is to leave.
    async fn look(&mut self) {
        let now = self.clock.boot_time();
        while self.is_due() {
            assert!(self.lanes.has_ready(now, LINGER));
            let batches = self.lanes.cut(1, now, LINGER).await;
            let [outgoing] = batches.as_slice() else {
                panic!("one batch is due")
            };
            assert_eq!(outgoing.sealed.first, self.sent.len() as u64 + 1);
            let batch = Batch::read(outgoing.sealed.message.clone()).unwrap();
            for (_, record, _) in batch.records() {
                let record = decode(record).unwrap();
                assert_eq!(record.token_version, self.sent.len() as u64);
                self.sent.push(record.at_micros);
            }
            self.waiting_since = Some(now);
        }
        assert!(!self.lanes.has_ready(now, LINGER));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_wall_clock_that_is_set_holds_nothing_up_and_hurries_nothing(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut world = World::new();
        for step in steps {
            world.step(&step);
            runtime.block_on(world.look());
        }
        // What fills no batch leaves when its time is over; what is behind the end of a segment, when
        // it is over once more.
        for _ in 0..2 {
            world.clock.advance_boot(LINGER);
            runtime.block_on(world.look());
        }
        prop_assert_eq!(world.uncut(), 0);
        prop_assert_eq!(world.sent, world.appended);
    }
}

impl World {
    /// Sends what is to be sent, and has the broker acknowledge it. The batches' first numbers and attempts.
    async fn send(&mut self) -> Vec<(u64, u64, u32)> {
        let receipt = Receipt {
            stream: None,
            sequence: 1,
            acks: 1,
            lost: None,
        };
        let mut sent = Vec::new();
        // What fills no batch waits from the moment at which the last full one left.
        for _ in 0..2 {
            let _waits = self.lanes.has_ready(self.clock.boot_time(), LINGER);
            self.clock.advance_boot(LINGER);
            let now = self.clock.boot_time();
            for it in self.lanes.cut(9, now, LINGER).await {
                self.lanes.acknowledged(&it, receipt, 0);
                let sealed = &it.sealed;
                if sealed.kind == BatchKind::Dropped {
                    self.dropped.push((sealed.first, sealed.last));
                }
                sent.push((sealed.first, sealed.last, it.attempt));
            }
        }
        sent
    }

    /// Tells what the ledger holds, and why something is to be sent again.
    async fn ledger(&mut self, source: Uuid, ranges: &[(u64, u64)]) -> Vec<Reason> {
        let covered = Covered {
            ranges: ranges.iter().copied().collect(),
            final_number: None,
        };
        let coverage = Coverage::from([(source, covered)]);
        self.lanes
            .settle(&self.spool, &[source], coverage, None, 0)
            .await
    }
}

#[tokio::test]
async fn what_the_ledger_held_and_holds_no_more_is_sent_again_once() {
    let mut world = World::new();
    world.step(&Step::Append(1_200));
    let sent = world.send().await;
    assert_eq!(sent, [(1, 500, 1), (501, 1_000, 1), (1_001, 1_200, 1)]);
    let [source] = world.lanes.to_ask(false)[..] else {
        panic!("it waits for the ledger")
    };
    assert_eq!(world.ledger(source, &[(1, 1_200)]).await, []);
    assert!(world.lanes.to_ask(false).is_empty(), "nothing is awaited");
    assert_eq!(world.lanes.to_ask(true), [source], "and could be lost");

    let lost = world.ledger(source, &[(1, 500)]).await;
    assert_eq!(lost, [Reason::LedgerWentBack]);
    let again = world.send().await;
    assert_eq!(again, [(501, 1_000, 2), (1_001, 1_200, 2)]);
    assert_eq!(
        world.ledger(source, &[(1, 500)]).await,
        [],
        "it is on its way"
    );
    assert_eq!(world.ledger(source, &[(1, 1_200)]).await, []);

    // A second time, and the numbers of attempts are new to the broker again.
    assert_eq!(world.ledger(source, &[]).await, [Reason::LedgerWentBack]);
    let again = world.send().await;
    assert_eq!(again, [(1, 500, 3), (501, 1_000, 3), (1_001, 1_200, 3)]);
}

#[tokio::test]
async fn what_the_ledger_holds_no_more_and_no_segment_holds_is_reported_as_dropped() {
    let mut world = World::new();
    world.step(&Step::Append(6_000));
    while !world.send().await.is_empty() {}
    let [source] = world.lanes.to_ask(false)[..] else {
        panic!("it waits for the ledger")
    };
    // Full segments go with it.
    assert_eq!(world.ledger(source, &[(1, 6_000)]).await, []);
    assert_eq!(world.ledger(source, &[]).await, [Reason::LedgerWentBack]);

    let mut sent = Vec::new();
    loop {
        let more = world.send().await;
        if more.is_empty() {
            break;
        }
        sent.extend(more);
    }
    let [(1, last)] = world.dropped[..] else {
        panic!("one report: {:?}", world.dropped)
    };
    assert!((1_000..6_000).contains(&last), "{last}");
    let mut next = 1;
    for (first, last, attempt) in sent {
        assert_eq!((first, attempt), (next, 2));
        next = last + 1;
    }
    assert_eq!(next, 6_001, "what is there is sent, what is not is told");
}
