//! The broker's definitions are compiled in; a changed one must recompile the command.
fn main() {
    println!("cargo:rerun-if-changed=../../nats");
}
