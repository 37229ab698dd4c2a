//! What the person at the terminal reads. Answers go to standard output, complaints to standard
//! error; nothing else in this command prints.

use std::io::{self, Write};
use std::process::exit;

pub(crate) fn say(line: &str) {
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        complain(&format!(
            "tollkeeper: standard output cannot be written: {error}"
        ));
        // Nobody may take for told what was not.
        exit(1);
    }
}

pub(crate) fn complain(line: &str) {
    // There is nobody left to be told.
    let _ = writeln!(io::stderr(), "{line}");
}
