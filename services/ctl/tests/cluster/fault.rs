//! What is killed, and how it is started again.

use std::fs;

use crate::world::World;

/// A `kill -9`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Of the NATS server that leads the stream `USAGE`.
    KillLeaderOfUsage,
    /// Of the one that leads the cluster and decides who keeps which stream.
    KillLeaderOfAll,
    /// Of any of the three.
    KillServer,
    /// Of any of the three, with its disk.
    LoseServer,
    KillApi,
    KillIngestor,
}

use Fault::{KillApi, KillIngestor, KillLeaderOfAll, KillLeaderOfUsage, KillServer, LoseServer};

const SERVERS: [Fault; 4] = [KillLeaderOfUsage, KillLeaderOfAll, KillServer, LoseServer];
const PROGRAMS: [Fault; 2] = [KillApi, KillIngestor];

impl Fault {
    /// Those of servers, one at a time.
    pub(crate) fn servers() -> [Vec<Self>; 3] {
        [KillLeaderOfUsage, KillLeaderOfAll, LoseServer].map(|fault| vec![fault])
    }

    /// A server and a program: of three servers, only one may be down.
    pub(crate) fn pair(random: &mut fastrand::Rng) -> Vec<Self> {
        let mut pair = [
            SERVERS[random.usize(..SERVERS.len())],
            PROGRAMS[random.usize(..PROGRAMS.len())],
        ];
        random.shuffle(&mut pair);
        pair.into()
    }

    /// Has it happen.
    pub(crate) async fn strike(self, world: &mut World, random: &mut fastrand::Rng) {
        let nats = &mut world.stack.nats;
        let server = match self {
            KillLeaderOfUsage => nats.leader_of("USAGE").await,
            KillLeaderOfAll => nats.leader_of_all().await,
            KillServer | LoseServer => {
                let names = nats.names();
                names[random.usize(..names.len())].to_owned()
            }
            KillApi => {
                // The first one is the one to be mended.
                let by_chance = random.usize(..world.apis.len());
                world.apis.swap(0, by_chance);
                return world.apis[0].kill();
            }
            KillIngestor => {
                let by_chance = random.usize(..world.ingestors.len());
                world.ingestors.swap(0, by_chance);
                return world.ingestors[0].kill();
            }
        };
        nats.server(&server).kill().await;
        world.down = Some(server);
    }

    /// Puts it right again.
    pub(crate) async fn mend(self, world: &mut World) {
        match self {
            KillApi => world.apis[0].restart(),
            KillIngestor => world.ingestors[0].restart(),
            KillLeaderOfUsage | KillLeaderOfAll | KillServer | LoseServer => {
                let down = world.down.take().unwrap();
                let server = world.stack.nats.server(&down);
                if self == LoseServer {
                    fs::remove_dir_all(server.store()).unwrap();
                }
                server.restart().await;
                world.stack.nats.whole("USAGE").await;
            }
        }
    }
}
