//! Random histories of appending, cutting, counting, filling up, crashing and tearing, against lists.
//!
//! Each number that was given out is in the end delivered, or reported as dropped; both only where
//! the spool had given it up to a broker.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use tempfile::TempDir;
use uuid::Uuid;

use super::{event, settings, try_open};
use crate::ranges::RangeSet;
use crate::spool::tail::{Sealed, Tail};
use crate::spool::{Spool, SpoolSettings};
use crate::wire::{Batch, BatchKind, decode};

#[derive(Debug, Clone)]
enum Step {
    Append {
        count: u16,
        text: u16,
    },
    /// Batches are cut and acknowledged by the broker.
    Cut,
    /// The first so many sixteenths of what was delivered are counted.
    Count(usize),
    /// Room is made of what the broker has acknowledged.
    Release,
    /// The broker has lost what is not counted, and it is asked for again.
    Lose,
    /// The process dies and starts again.
    Crash,
    /// It dies in the middle of a record: bytes of it are there, its length word is not.
    CrashInsideRecord,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (1_u16..160, 0_u16..500).prop_map(|(count, text)| Step::Append { count, text }),
        3 => Just(Step::Cut),
        2 => (1_usize..=16).prop_map(Step::Count),
        1 => Just(Step::Release),
        1 => Just(Step::Lose),
        1 => Just(Step::Crash),
        1 => Just(Step::CrashInsideRecord),
    ];
    prop::collection::vec(step, 1..32)
}

/// Puts half a record behind the last one of the newest begun segment of every lane.
fn tear(dir: &Path) {
    for lane in std::fs::read_dir(dir).unwrap().flatten() {
        let Ok(files) = std::fs::read_dir(lane.path()) else {
            continue;
        };
        for file in files
            .flatten()
            .filter(|file| file.path().extension().is_some_and(|e| e == "seg"))
        {
            let bytes = std::fs::read(file.path()).unwrap();
            let mut at = 64;
            while let Some(word) = bytes.get(at..at + 4) {
                let len = u32::from_le_bytes(word.try_into().unwrap());
                if len == 0 || len == u32::MAX {
                    break;
                }
                at += 8 + (len as usize).next_multiple_of(8);
            }
            if bytes
                .get(at..at + 64)
                .is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
            {
                let file = OpenOptions::new().write(true).open(file.path()).unwrap();
                file.write_all_at(&[0xab; 40], at as u64 + 4).unwrap();
            }
        }
    }
}

/// What became of the numbers of one source.
#[derive(Default)]
struct Source {
    /// Batches of events by their first number.
    delivered: BTreeMap<u64, Sealed>,
    dropped: RangeSet,
    /// Given up to the broker.
    released: RangeSet,
    ledger: RangeSet,
}

struct World {
    settings: SpoolSettings,
    spool: Arc<Spool>,
    tails: Vec<Tail>,
    sources: BTreeMap<Uuid, Source>,
    /// The events that were kept, told by their token version.
    kept: BTreeSet<u64>,
    /// How many were dropped, in all runs.
    dropped: u64,
    _folder: TempDir,
}

impl World {
    fn new(lanes: usize, max_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = SpoolSettings {
            max_bytes,
            ..settings(folder.path(), lanes)
        };
        let spool = try_open(settings.clone()).unwrap();
        Self {
            tails: spool.take_tails(),
            settings,
            spool,
            sources: BTreeMap::new(),
            kept: BTreeSet::new(),
            dropped: 0,
            _folder: folder,
        }
    }

    fn append(&mut self, text: &str) {
        let number = self.kept.len() as u64 + self.dropped;
        let before = self.spool.stats().dropped;
        self.spool.append(&event(number, text)).unwrap();
        let dropped = self.spool.stats().dropped - before;
        self.dropped += dropped;
        if dropped == 0 {
            self.kept.insert(number);
        }
    }

    fn take(&mut self, sealed: Sealed) -> TestCaseResult {
        let source = self.sources.entry(sealed.source).or_default();
        if sealed.kind == BatchKind::Dropped {
            source.dropped.insert(sealed.first, sealed.last);
            return Ok(());
        }
        if let Some(before) = source.delivered.get(&sealed.first) {
            let same = (before.last, before.checksum) == (sealed.last, sealed.checksum);
            prop_assert!(
                same && before.message == sealed.message,
                "a batch was cut anew"
            );
        }
        source.delivered.insert(sealed.first, sealed);
        Ok(())
    }

    fn cut(&mut self) -> TestCaseResult {
        let nothing = RangeSet::default();
        for at in 0..self.tails.len() {
            loop {
                let tail = &mut self.tails[at];
                let known = self.sources.get(&tail.source());
                let known = known.filter(|_| !tail.is_live()).map(|it| &it.ledger);
                match tail.cut(known.unwrap_or(&nothing)).unwrap() {
                    Some(sealed) => self.take(sealed)?,
                    None => break,
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, sixteenths: usize) {
        for source in self.sources.values_mut() {
            let counted = source.delivered.len() * sixteenths / 16;
            for batch in source.delivered.values().take(counted) {
                source.ledger.insert(batch.first, batch.last);
            }
            for range in source.dropped.iter() {
                source.ledger.insert(*range.start(), *range.end());
            }
        }
        self.tails.retain_mut(|tail| {
            let source = self.sources.entry(tail.source()).or_default();
            let settled = tail.settle(&source.ledger, true);
            let is_done = settled.lane_is_done;
            self.spool.delete(tail.source(), settled);
            !is_done
        });
    }

    fn release(&mut self) {
        for tail in &mut self.tails {
            let source = self.sources.entry(tail.source()).or_default();
            let mut acknowledged = source.ledger.clone();
            for batch in source.delivered.values() {
                acknowledged.insert(batch.first, batch.last);
            }
            while let Some(segment) = tail.release(&acknowledged) {
                self.spool.delete(tail.source(), segment);
            }
            source.released = acknowledged;
        }
    }

    fn lose(&mut self) -> TestCaseResult {
        let mut again = Vec::new();
        for tail in &mut self.tails {
            let Some(source) = self.sources.get(&tail.source()) else {
                continue;
            };
            for (mut first, last) in source.ledger.gaps(1, 1 << 40) {
                while let Some(sealed) = tail.again(first, last).unwrap() {
                    first = sealed.last + 1;
                    again.push(sealed);
                }
            }
        }
        again.into_iter().try_for_each(|sealed| self.take(sealed))
    }

    fn crash(&mut self, inside_record: bool) {
        self.tails.clear();
        // The folder is locked as long as the spool is there.
        let elsewhere = tempfile::tempdir().unwrap();
        let other = SpoolSettings {
            dir: elsewhere.path().to_owned(),
            ..self.settings.clone()
        };
        self.spool = try_open(other).unwrap();
        if inside_record {
            tear(&self.settings.dir);
        }
        self.spool = try_open(self.settings.clone()).unwrap();
        self.tails = self.spool.take_tails();
    }

    fn check(&mut self) -> TestCaseResult {
        let mut kept = BTreeSet::new();
        let (mut given, mut twice) = (0, 0);
        for source in self.sources.values() {
            let mut all = source.dropped.clone();
            for batch in source.delivered.values() {
                let read = Batch::read(batch.message.clone()).unwrap();
                for (number, record, _) in read.records() {
                    kept.insert(decode(record).unwrap().token_version);
                    if source.dropped.covers(number, number) {
                        prop_assert!(source.released.covers(number, number));
                        twice += 1;
                    }
                }
                all.insert(batch.first, batch.last);
            }
            let is_whole = all.covers(1, all.count());
            prop_assert!(all.is_empty() || is_whole, "numbers are missing");
            given += all.count();
        }
        prop_assert_eq!(&kept, &self.kept);
        prop_assert_eq!(given, kept.len() as u64 + self.dropped);
        let reported: u64 = self.sources.values().map(|it| it.dropped.count()).sum();
        prop_assert_eq!(reported, self.dropped + twice);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_number_is_delivered_or_reported_and_no_batch_is_ever_cut_anew(
        steps in steps(),
        lanes in 1_usize..3,
        is_tight in any::<bool>(),
    ) {
        let max_bytes = if is_tight { lanes as u64 * (64 << 10) } else { 64 << 20 };
        let mut world = World::new(lanes, max_bytes);
        let texts = "x".repeat(512);
        for step in steps {
            match step {
                Step::Append { count, text } => for _ in 0..count {
                    world.append(&texts[..usize::from(text)]);
                },
                Step::Cut => world.cut()?,
                Step::Count(sixteenths) => world.count(sixteenths),
                Step::Release => world.release(),
                Step::Lose => world.lose()?,
                Step::Crash => world.crash(false),
                Step::CrashInsideRecord => world.crash(true),
            }
        }
        world.cut()?;
        world.check()?;
        prop_assert!(is_tight || world.dropped == 0);

        // Once the ledger covers everything, only what the running process may still use is left.
        world.count(16);
        prop_assert!(world.tails.iter().all(Tail::is_live));
        let folders = std::fs::read_dir(&world.settings.dir).unwrap().count();
        prop_assert_eq!(folders, lanes + 1, "the lanes of this run and the lock file");
    }
}
