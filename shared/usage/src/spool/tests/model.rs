//! Random histories of appending, cutting, crashing and tearing, against a list.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use proptest::prelude::*;
use uuid::Uuid;

use super::{all_numbers, cut_all, event, open};
use crate::ranges::RangeSet;
use crate::spool::tail::{Sealed, Tail};

#[derive(Debug, Clone)]
enum Step {
    Append {
        count: u16,
        text: u16,
    },
    Cut,
    /// The process dies and starts again.
    Crash,
    /// It dies in the middle of a record: bytes of it are there, its length word is not.
    CrashInsideRecord,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1_u16..120, 0_u16..500).prop_map(|(count, text)| Step::Append { count, text }),
        3 => Just(Step::Cut),
        1 => Just(Step::Crash),
        1 => Just(Step::CrashInsideRecord),
    ];
    prop::collection::vec(step, 1..24)
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

fn same(a: &Sealed, b: &Sealed) -> bool {
    (a.first, a.last, a.checksum) == (b.first, b.last, b.checksum) && a.message == b.message
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_no_batch_is_ever_cut_anew(steps in steps(), lanes in 1_usize..3) {
        let folder = tempfile::tempdir().unwrap();
        let texts = "x".repeat(512);
        let mut model: Vec<u64> = Vec::new();
        // Every batch that ever left the spool, by its source and first number.
        let mut left: BTreeMap<(Uuid, u64), Sealed> = BTreeMap::new();
        let note = |batches: Vec<Sealed>, left: &mut BTreeMap<(Uuid, u64), Sealed>| {
            for batch in batches {
                if let Some(before) = left.get(&(batch.source, batch.first)) {
                    prop_assert!(same(before, &batch), "a batch was cut anew");
                }
                left.insert((batch.source, batch.first), batch);
            }
            Ok(())
        };

        let mut spool = open(folder.path(), lanes);
        let mut tails = spool.take_tails();
        for step in steps {
            match step {
                Step::Append { count, text } => for _ in 0..count {
                    let number = model.len() as u64;
                    prop_assert!(spool.append(&event(number, &texts[..usize::from(text)])).is_ok());
                    model.push(number);
                },
                Step::Cut => note(cut_all(&mut tails), &mut left)?,
                Step::Crash | Step::CrashInsideRecord => {
                    drop((spool, tails));
                    if matches!(step, Step::CrashInsideRecord) {
                        tear(folder.path());
                    }
                    spool = open(folder.path(), lanes);
                    tails = spool.take_tails();
                }
            }
        }
        note(cut_all(&mut tails), &mut left)?;
        prop_assert_eq!(spool.stats().dropped, 0);
        let batches: Vec<Sealed> = left.into_values().collect();
        let mut found = all_numbers(&batches);
        found.sort_unstable();
        prop_assert_eq!(found, model);

        // Once the ledger covers everything, only what the running process may still use is left.
        let mut ledger: BTreeMap<Uuid, RangeSet> = BTreeMap::new();
        for batch in &batches {
            ledger.entry(batch.source).or_default().insert(batch.first, batch.last);
        }
        for tail in &mut tails {
            let covered = ledger.remove(&tail.source()).unwrap_or_default();
            let settled = tail.settle(&covered, true);
            prop_assert_eq!(settled.lane_is_done, !tail.is_live());
            spool.delete(tail.source(), settled);
        }
        tails.retain(Tail::is_live);
        let folders = std::fs::read_dir(folder.path()).unwrap().count();
        prop_assert_eq!(folders, lanes + 1, "the lanes of this run and the lock file");
    }
}
