//! Usage, and the first page.

mod export;
mod home;
mod live;
mod looks;
mod numbers;
mod reach;
mod rows;
mod trouble;
