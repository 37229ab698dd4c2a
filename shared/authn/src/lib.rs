//! The verification engine: may the holder of this token pass?
//!
//! It answers from memory. [`Engine::try_verify`] hashes the presented token, finds it in a bounded
//! cache and goes through the checks; a hit allocates nothing and waits for nothing. A token that is
//! not in memory is read from the primary ([`Engine::resolve`]), once however many ask for it.
//!
//! What is in memory is as good as its **proof**: every half second the engine reads the head of the
//! event log from the primary, applies all events up to it, and then knows its memory to be true as
//! of the moment before it asked. Every single check compares the clock with that moment. Messages
//! from elsewhere ([`hints`]) make a revocation arrive sooner and never move the proof.
//!
//! Two rules hold it together, and nothing in here may break them:
//!
//! - **Events only tighten.** They deny, or have the primary read again. Only a read loosens.
//! - **A read that was under way when its token was heard of is made again**, because it may lack
//!   what was heard. Versions never go back.
//!
//! Each reading of the head also tells the primary that this node is there, how far it has come, and
//! for how long it may answer on its own ([`Attendance`]). Without it the proof does not move, so a
//! node never answers for longer than it has said: whoever revokes can be told where it is done.
//!
//! What passes all checks is charged to the rate limits of its token and of its account, and takes of
//! their quotas, from memory too ([`Verification::rate_limits`], [`Verification::quotas`]).

mod cache;
mod charge;
mod config;
mod counters;
mod engine;
mod entry;
mod facts;
mod feed;
mod fill;
mod flights;
mod follow;
mod heard;
pub mod hints;
mod index;
mod judge;
mod limits;
pub mod postgres;
mod preload;
mod proof;
mod quotas;
mod recent;
mod run;
mod source;
mod standing;
mod status;
mod store;
mod time;
mod verification;
pub mod wire;

pub use config::{EngineConfig, FillLimits, StalePolicy};
pub use engine::{Check, Engine};
pub use facts::{AccountFacts, TokenFacts};
pub use feed::{Change, Effect, FeedEvent, LogHash, LogHead, LoggedEvent};
pub use judge::{Client, Requirement};
pub use limits::exchange;
pub use limits::{LimitReading, Limited, Replay};
pub use proof::Freshness;
pub use quotas::QuotaReading;
pub use run::TaskDied;
pub use source::{
    Attendance, BalanceKey, Found, Lookup, SourceError, SourceFuture, TokenSource, Used,
};
pub use status::{EngineCounts, EngineStatus};
pub use store::MemoryUse;
pub use verification::{CacheUse, Identity, Miss, Verification};
