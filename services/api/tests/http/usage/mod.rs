//! Questions about usage.

mod dry_run;
mod exposure;
mod large;
mod many;
mod replica;
mod report;
mod requests;
mod road;
mod series;
mod support;
mod tables;
