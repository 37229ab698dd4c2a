//! What became of the calls of a report.

use std::fmt::Display;

use serde::Serialize;
use tollkeeper_usage::Scrubber;
use utoipa::ToSchema;

use crate::http::problem::{FieldError, FieldErrors};

/// What became of one call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[schema(as = ReportedCallResult)]
pub(super) enum Outcome {
    /// It is stored, and will be counted once.
    Accepted,
    /// A call of this id was accepted before.
    Duplicate,
    /// It will not be counted as it is.
    Rejected(RejectedCall),
}

/// Why a call is not counted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RejectedCall {
    code: RejectionCode,
    /// What is wrong, each with the place in the body.
    errors: Vec<FieldError>,
}

/// What kind of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RejectionCode {
    /// Fields are out of form.
    InvalidFields,
    /// There is no such token, or it is not yours to report of.
    NotFound,
    /// It is too long ago, or in the future.
    TimestampOutOfRange,
}

/// Collects why a call is rejected. Nothing that it says holds anything shaped like a token.
#[derive(Debug)]
pub(super) struct Rejection<'a> {
    place: usize,
    scrubber: &'a Scrubber,
    code: RejectionCode,
    errors: FieldErrors,
}

impl<'a> Rejection<'a> {
    /// Of the call at this place; nothing is wrong with it so far.
    pub(super) fn at(place: usize, scrubber: &'a Scrubber) -> Self {
        Self {
            place,
            scrubber,
            code: RejectionCode::InvalidFields,
            errors: FieldErrors::default(),
        }
    }

    /// Of a call of a token that is not there, or not the caller's.
    pub(super) fn no_token(place: usize, scrubber: &'a Scrubber) -> Self {
        let mut rejection = Self::at(place, scrubber);
        rejection.code = RejectionCode::NotFound;
        rejection.bad_field("/token_id", "there is no such token");
        rejection
    }

    pub(super) fn bad_field(&mut self, pointer: &str, detail: impl Display) {
        let pointer = format!("/events/{}{pointer}", self.place);
        self.errors.add(pointer, detail);
    }

    pub(super) fn out_of_range(&mut self, pointer: &str, detail: impl Display) {
        self.code = RejectionCode::TimestampOutOfRange;
        self.bad_field(pointer, detail);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }
}

impl From<Rejection<'_>> for Outcome {
    fn from(rejection: Rejection<'_>) -> Self {
        Self::Rejected(RejectedCall {
            code: rejection.code,
            errors: rejection.errors.into_scrubbed(rejection.scrubber),
        })
    }
}
