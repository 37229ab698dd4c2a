//! The check of an HTTP request, as far as it is the same wherever it is made: by the API for a
//! proxy, or by a service of its own in process. Where the credential stands, where the request
//! comes from, how much of that is kept, and how a refusal is answered.
//!
//! It decides nothing about tokens: that is the engine's. It must never put what a client has sent
//! into an answer.

mod address;
mod credential;
mod headers;
mod limits;
mod problem;
mod refusal;
mod request_id;

pub use address::{Way, kept};
pub use credential::{BadCredential, Credential, Presented, presented};
pub use headers::CheckHeaders;
pub use limits::{LimitHeaders, seconds, wait};
pub use problem::{Document, FieldError};
pub use refusal::{CODE, Refusal};
pub use request_id::{REQUEST_ID, is_request_id, own_request_id};
