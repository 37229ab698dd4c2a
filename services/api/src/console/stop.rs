//! Why a page is not shown.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::query::url;
use super::refused::Refused;
use crate::http::problem::Problem;

/// Why a page is not shown.
#[derive(Debug)]
pub(super) enum Stop {
    /// Nobody is signed in: the way leads to the sign-in.
    SignIn {
        /// Where it leads from there.
        next: String,
        /// Whether a form was sent, which is lost.
        was_form: bool,
    },
    /// The management API refused.
    Refused(Box<Refused>),
    /// The console itself did.
    Problem(Problem),
}

/// What handlers of pages answer.
pub(super) type Shown = Result<Response, Stop>;

/// Answers 200 with a page.
///
/// # Errors
/// If the template cannot be written, which is our own fault.
pub(super) fn page(template: &impl Template) -> Shown {
    page_with(StatusCode::OK, template)
}

/// Answers with a page and another status.
///
/// # Errors
/// If the template cannot be written, which is our own fault.
pub(super) fn page_with(status: StatusCode, template: &impl Template) -> Shown {
    let text = template.render().map_err(Problem::internal)?;
    Ok((status, Html(text)).into_response())
}

/// Leads on after a change, so that to load the page again changes nothing.
pub(super) fn go_to(path: &str) -> Response {
    Redirect::to(path).into_response()
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn { next, was_form } => {
                let lost = was_form.then_some("form-lost");
                let parts = [("next", Some(next.as_str())), ("done", lost)];
                let mut response = go_to(&url("/console/sign-in", &parts));
                let never = HeaderValue::from_static("no-store");
                response.headers_mut().insert(header::CACHE_CONTROL, never);
                response
            }
            Self::Refused(refused) => refused.into_response(),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Problem(error.into())
    }
}
