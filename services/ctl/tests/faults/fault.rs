//! What can fail, and how it is mended.

use std::fs;
use std::path::{Path, PathBuf};

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use rustix::process::Signal;
use uuid::Uuid;

use crate::world::World;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9`.
    KillApi,
    KillIngestor,
    KillBroker,
    KillPostgres,
    /// Nothing reaches the server, and no connection survives.
    CutBroker,
    /// For longer than the broker waits for an acknowledgement.
    CutDatabase,
    /// An ingestor stands still, with what it holds, until others are given it; then it goes on.
    FreezeIngestor,
    /// Everything in the stream is published once more.
    PublishTwice,
    /// Messages that nobody can read.
    Poison,
    /// The stream is deleted, with what is in it, and made anew.
    RemakeStream,
    /// The broker forgets what it took since a copy was made of its folder.
    RestoreBroker,
}

use Fault::{
    CutBroker, CutDatabase, FreezeIngestor, KillApi, KillBroker, KillIngestor, KillPostgres,
    Poison, PublishTwice, RemakeStream, RestoreBroker,
};

const ALL: [Fault; 11] = [
    KillApi,
    KillIngestor,
    KillBroker,
    KillPostgres,
    CutBroker,
    CutDatabase,
    FreezeIngestor,
    PublishTwice,
    Poison,
    RemakeStream,
    RestoreBroker,
];

impl Fault {
    /// Each fault by itself, in an order of chance.
    pub(crate) fn each_once(random: &mut fastrand::Rng) -> Vec<Vec<Self>> {
        let mut all = ALL.map(|fault| vec![fault]);
        random.shuffle(&mut all);
        all.into()
    }

    /// Two that can strike at the same time.
    pub(crate) fn pair(random: &mut fastrand::Rng) -> Vec<Self> {
        loop {
            let [one, two] = [(); 2].map(|()| ALL[random.usize(..ALL.len())]);
            let both_use_the_broker = one.uses_the_broker() && two.uses_the_broker();
            let both_hold_ingestors = one.holds_an_ingestor() && two.holds_an_ingestor();
            if one != two && !both_use_the_broker && !both_hold_ingestors {
                // What the one that stands still holds can be given to others while all else works.
                return match two {
                    FreezeIngestor => vec![two, one],
                    _ => vec![one, two],
                };
            }
        }
    }

    /// It needs the broker alive, or takes its life.
    fn uses_the_broker(self) -> bool {
        matches!(
            self,
            KillBroker | PublishTwice | Poison | RemakeStream | RestoreBroker
        )
    }

    fn holds_an_ingestor(self) -> bool {
        matches!(self, KillIngestor | FreezeIngestor)
    }

    /// Has it happen.
    pub(crate) async fn strike(self, world: &mut World, random: &mut fastrand::Rng) {
        match self {
            KillApi => {
                // The first one is the one to be mended.
                let by_chance = random.usize(..world.apis.len());
                world.apis.swap(0, by_chance);
                world.apis[0].kill();
            }
            KillIngestor => {
                let by_chance = random.usize(..world.ingestors.len());
                world.ingestors.swap(0, by_chance);
                world.ingestors[0].kill();
            }
            KillBroker => world.stack.nats.kill().await,
            KillPostgres => world.stack.server().kill().await,
            CutBroker => world.to_broker.cut(),
            CutDatabase => {
                world.to_database.cut();
                world.outwait_acknowledgements().await;
            }
            FreezeIngestor => {
                world.ingestors[0].freeze().await;
                world.given_to_others().await;
            }
            PublishTwice => publish_twice(world).await,
            Poison => poison(world, random).await,
            RemakeStream => world.remake_stream().await,
            RestoreBroker => {
                world.stack.nats.stop().await;
                copy(world.stack.nats.store(), &backup(world));
                world.stack.nats.restart().await;
            }
        }
    }

    /// Puts it right again.
    pub(crate) async fn mend(self, world: &mut World) {
        match self {
            KillApi => world.apis[0].restart(),
            KillIngestor => world.ingestors[0].restart(),
            KillBroker => world.stack.nats.restart().await,
            KillPostgres => world.stack.server().restart().await,
            CutBroker => world.to_broker.resume(),
            CutDatabase => world.to_database.resume(),
            FreezeIngestor => world.ingestors[0].signal(Signal::CONT),
            PublishTwice | Poison | RemakeStream => {}
            RestoreBroker => {
                world.stack.nats.kill().await;
                let store = world.stack.nats.store();
                fs::remove_dir_all(store).unwrap();
                copy(&backup(world), store);
                fs::remove_dir_all(backup(world)).unwrap();
                world.stack.nats.restart().await;
            }
        }
    }
}

/// Publishes what is in the stream again, under ids that the broker has not seen.
async fn publish_twice(world: &World) {
    let broker = world.broker().await;
    let usage = broker.get_stream("USAGE").await.unwrap();
    let state = usage.get_info().await.unwrap().state;
    for sequence in state.first_sequence.max(1)..=state.last_sequence {
        // It may have been counted meanwhile.
        let Ok(message) = usage.get_raw_message(sequence).await else {
            continue;
        };
        let mut headers = message.headers;
        headers.insert(NATS_MESSAGE_ID, format!("again:{sequence}"));
        let sent = broker.publish_with_headers(message.subject, headers, message.payload);
        sent.await.unwrap().await.unwrap();
    }
}

/// Noise, and what begins like a batch and is none.
async fn poison(world: &World, random: &mut fastrand::Rng) {
    let broker = world.broker().await;
    for number in 0..20 {
        let mut bytes = b"TKUB\x01\x00".to_vec();
        if number % 2 == 0 {
            bytes.clear();
        }
        bytes.extend((0..random.usize(..300)).map(|_| random.u8(..)));
        let subject = format!("usage.{}", Uuid::from_u128(random.u128(..)));
        let sent = broker.publish_with_headers(subject, HeaderMap::new(), bytes.into());
        sent.await.unwrap().await.unwrap();
    }
}

fn backup(world: &World) -> PathBuf {
    world.stack.nats.store().with_extension("backup")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
