//! Types that parse their own text.

mod networks;
mod secret;
mod size;

pub use networks::NetworkList;
pub use secret::Secret;
pub use size::ByteSize;
