//! What commands have in common that compare tables with what they come from.

/// The exit code where something differs.
pub(crate) const DIFFERENT: u8 = 1;

/// The exit code where it is not known whether anything does, or not of everything.
pub(crate) const UNKNOWN: u8 = 2;

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}
