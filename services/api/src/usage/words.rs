//! The words of questions and answers about usage.

use serde::{Deserialize, Serialize};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_read_model::usage::{Dimension, Order, Width};
use utoipa::ToSchema;

use crate::http::problem::Problem;

/// How wide the steps of a series are. They begin and end by UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageBucket)]
pub(crate) enum Bucket {
    Minute,
    Hour,
    Day,
}

impl From<Bucket> for Width {
    fn from(bucket: Bucket) -> Self {
        match bucket {
            Bucket::Minute => Self::Minute,
            Bucket::Hour => Self::Hour,
            Bucket::Day => Self::Day,
        }
    }
}

impl From<Width> for Bucket {
    fn from(width: Width) -> Self {
        match width {
            Width::Minute => Self::Minute,
            Width::Hour => Self::Hour,
            Width::Day => Self::Day,
        }
    }
}

/// What requests are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageGroupBy)]
pub(crate) enum GroupBy {
    /// The path, identifiers in it folded to `{id}`.
    Endpoint,
    Method,
    StatusClass,
    /// The token's id.
    Token,
    /// What the check came to.
    Verdict,
    /// Browsers by name, other programs by the name of their first product.
    UserAgentFamily,
    /// The /24 or /48 of the address.
    IpNetwork,
}

impl From<GroupBy> for Dimension {
    fn from(group_by: GroupBy) -> Self {
        match group_by {
            GroupBy::Endpoint => Self::Endpoint,
            GroupBy::Method => Self::Method,
            GroupBy::StatusClass => Self::StatusClass,
            GroupBy::Token => Self::Token,
            GroupBy::Verdict => Self::Verdict,
            GroupBy::UserAgentFamily => Self::UserAgentFamily,
            GroupBy::IpNetwork => Self::IpNetwork,
        }
    }
}

/// The first digit of a status; `other` where it has none of 1 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub(crate) enum StatusClass {
    #[serde(rename = "1xx")]
    Informational,
    #[serde(rename = "2xx")]
    Successful,
    #[serde(rename = "3xx")]
    Redirection,
    #[serde(rename = "4xx")]
    ClientError,
    #[serde(rename = "5xx")]
    ServerError,
    #[serde(rename = "other")]
    Other,
}

impl StatusClass {
    /// As the tables hold it.
    pub(super) const fn digit(self) -> i16 {
        match self {
            Self::Informational => 1,
            Self::Successful => 2,
            Self::Redirection => 3,
            Self::ClientError => 4,
            Self::ServerError => 5,
            Self::Other => 0,
        }
    }
}

/// By what tokens are ordered, the largest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageOrder)]
pub(crate) enum By {
    Requests,
    Errors,
}

impl From<By> for Order {
    fn from(by: By) -> Self {
        match by {
            By::Requests => Self::Requests,
            By::Errors => Self::Errors,
        }
    }
}

/// What sums of accounts say where it is not known what a check came to.
const NO_VERDICT: &str = "-1";

/// The group that the tables know by this text, as it is told.
pub(super) fn group_name(dimension: Dimension, group: String) -> String {
    let known = match dimension {
        Dimension::StatusClass => match group.as_str() {
            "0" => Some("other".to_owned()),
            "1" | "2" | "3" | "4" | "5" => Some(format!("{group}xx")),
            _ => None,
        },
        Dimension::Verdict if group == NO_VERDICT => Some("(unknown)".to_owned()),
        Dimension::Verdict => {
            let number = group.parse().ok();
            let verdict = number.and_then(Verdict::from_number);
            verdict.map(|verdict| verdict.code().to_owned())
        }
        _ => None,
    };
    known.unwrap_or(group)
}

/// The verdict with this code.
pub(super) fn verdict(code: Option<&str>) -> Result<Option<Verdict>, Problem> {
    let Some(code) = code else { return Ok(None) };
    let found = Verdict::ALL.into_iter().find(|it| it.code() == code);
    let bad = || Problem::bad_request("INVALID_QUERY", "`verdict` is none that there is");
    found.map(Some).ok_or_else(bad)
}
