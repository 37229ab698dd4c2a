//! What an error looks like on the wire (RFC 9457).

use serde::Serialize;

/// An error (RFC 9457).
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Problem))]
pub struct Document<'a> {
    /// The code as a URI.
    pub r#type: String,
    /// What kind of error it is, for people.
    pub title: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// What is wrong, for people.
    pub detail: &'a str,
    /// What is wrong, for programs. Codes stay as they are.
    pub code: &'a str,
    /// By which the request is found in events and in the log.
    pub request_id: &'a str,
    /// Each field that cannot be accepted.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: &'a [FieldError],
}

/// One field that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Where in the body it stands (RFC 6901).
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Document<'_> {
    /// The media type of a document.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// The `type` of an error with this code.
    #[must_use]
    pub fn type_of(code: &str) -> String {
        format!("urn:tollkeeper:problem:{}", code.to_lowercase())
    }
}
