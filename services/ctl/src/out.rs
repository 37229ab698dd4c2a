//! What the person at the terminal reads. Answers go to standard output, complaints to standard
//! error; nothing else in this command prints.

#[allow(clippy::print_stdout)]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

#[allow(clippy::print_stderr)]
pub(crate) fn complain(line: &str) {
    eprintln!("{line}");
}
