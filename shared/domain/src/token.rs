//! The life of a token: what may be asked of it, what then happened, and what it is now.

mod command;
mod decide;
mod event;
mod evolve;
mod expiry;
mod fields;
mod restrictions;
mod state;

pub use command::{Change, Command, Issue, Rotate};
pub use decide::{MAX_GRACE, Refusal, decide};
pub use event::{
    RevocationReason, TokenEvent, TokenExpiring, TokenExpiryChanged, TokenIssued,
    TokenMetadataChanged, TokenRenamed, TokenRevoked, TokenRotated, TokenScopesChanged,
};
pub use evolve::evolve;
pub use expiry::{EXPIRY_NOTICES, notice_at};
pub use fields::{BadField, Metadata, TokenName, Validity};
pub use restrictions::Restrictions;
pub use state::{Lifecycle, Secret, Status, Token};
