//! What happened: the history of one token, the feed of all events, and the past of a token.
//! Reads of the log alone; nothing here changes anything, and no hash of a secret leaves it.

pub(crate) mod diff;
pub(crate) mod feed;
mod news;
pub(crate) mod of_token;
pub(crate) mod past;
mod places;

pub use news::{News, watch};
