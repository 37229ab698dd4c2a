//! Quotas: how many uses a token, or all tokens of an account together, have in a day, in a month or
//! for ever.
//!
//! A quota is a definition and never a balance: what was used is counted beside the log, by owner,
//! generation and period. Whoever gives a quota a new generation gives it an empty balance, and what
//! is counted late for an earlier generation cannot reach it.

mod charge;
mod list;
mod refill;

pub use charge::{MAX_CHARGES, QuotaCharge, QuotaCharges, QuotaOwner};
pub use list::{
    BadQuota, BadQuotas, MAX_QUOTAS, MAX_USES, NewQuota, NewQuotas, Quota, QuotaRefilled, Quotas,
};
pub use refill::{QuotaPeriod, QuotaRefill};
