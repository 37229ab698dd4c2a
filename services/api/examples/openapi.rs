//! Prints the description of the API, for `cargo xtask generate`.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    io::stdout().write_all(tollkeeper_api::openapi_document().as_bytes())
}
