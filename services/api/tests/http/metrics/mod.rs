//! What the programs show of themselves under `/metrics`, held against the catalogue.

mod catalogue;
mod counting;
mod scrape;
mod watching;
