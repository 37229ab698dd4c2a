//! `revocation_jobs` and `revocation_job_tokens`: revocations of many tokens, planned or under way.
//!
//! The tokens of a job are fixed within the reach of whoever asked; from then on the job is worked
//! off by the installation itself.

mod cascade;
mod job;
mod plan;

pub use cascade::{add_descendants, begin_cascade, begin_cascade_now};
pub use job::{
    JobRow, Running, find, finish, hold, lease, note_already_revoked, note_revoked, pending, start,
};
pub use plan::{MOST_TOKENS, Plan, forget_one, plan};
