//! What every operation shares: bodies and queries that are read strictly, errors in one public
//! format, request ids, a bound on time, what browsers are told.

pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod csv;
pub(crate) mod cursor;
pub(crate) mod deadline;
pub(crate) mod measure;
pub(crate) mod page;
pub(crate) mod path;
pub(crate) mod problem;
pub(crate) mod protection;
pub(crate) mod query;
pub(crate) mod request_id;
pub(crate) mod trace;
pub(crate) mod version;
