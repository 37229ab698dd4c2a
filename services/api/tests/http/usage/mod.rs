//! Questions about usage.

mod exposure;
mod large;
mod many;
mod requests;
mod road;
mod series;
mod support;
mod tables;
