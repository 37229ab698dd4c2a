//! `POST /v1/verify/batch`: a program asks about many tokens at once.
//!
//! Each is judged, counted and answered as `rpc` does for one; nothing here decides anything.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use tollkeeper_authn::Check;
use utoipa::ToSchema;

use super::rpc::{Answer, Question, wants_fresh};
use crate::app::App;
use crate::caller::{Allowed, Verify};
use crate::http::body::Body;
use crate::http::problem::{FieldErrors, Problem};
use crate::http::request_id::RequestId;
use crate::openapi::errors::WithBody;

/// The largest body, in bytes: room for as many questions as there may be, each with a long path and
/// some scopes.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;

/// The most questions in one call: what memory does not know of them is one look-up.
const MOST_ITEMS: usize = 100;

/// How many bad fields are told.
const MOST_ERRORS: usize = 100;

/// Tokens to ask about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VerifyBatch, example = json!({ "items": [
    { "token": "tk_live_Xk2pV9aQ0bR7cS4dT1eU8fW5gY3hZ6iN2jM0q1aB2c", "scopes": ["orders:read"] },
    { "token": "tk_live_0000000000000000000000000000000000000aB2c" },
] }))]
pub(crate) struct Questions {
    #[schema(min_items = 1, max_items = 100)]
    items: Vec<Question>,
}

/// What is known of the tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verifications)]
pub(crate) struct Answers {
    /// One for each question, in the order of the call.
    items: Vec<Answer>,
}

/// 200 whatever the verdicts; errors only for bad questions, of which none is then answered or
/// counted. `Cache-Control: no-cache` has all of them read afresh.
#[utoipa::path(
    post,
    path = "/v1/verify/batch",
    tag = "Verification",
    operation_id = "verifyTokens",
    summary = "Ask about many tokens at once",
    description = "At most 100 in one call of at most 256 KiB. Each is answered and counted as one \
        of `POST /v1/verify`, in the order of the call. A bad field of one refuses the whole call, \
        and then none is counted; of bad fields the first 100 are told.",
    params(("Cache-Control" = Option<String>, Header, description = "`no-cache` has the tokens read afresh")),
    request_body = Questions,
    responses(
        (
            status = 200,
            description = "What is known of them",
            body = Answers,
        ),
        WithBody<Verify>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<Verify>,
    headers: HeaderMap,
    request_id: RequestId,
    Body(questions): Body<Questions>,
) -> Result<Json<Answers>, Problem> {
    let began = app.clock.boot_time();
    let questions = questions.items;
    check(&questions)?;
    let fresh = wants_fresh(&headers);
    let scopes: Vec<Vec<&str>> = questions.iter().map(Question::scopes).collect();
    let checks: Vec<Check<'_>> = questions
        .iter()
        .zip(&scopes)
        .map(|(question, scopes)| {
            let requirement = question.requirement(scopes, fresh, allowed.reach);
            (question.token(), requirement)
        })
        .collect();
    let verifications = app.engine.verify_all(&checks).await;
    let mut items = Vec::with_capacity(questions.len());
    for (index, (question, verification)) in questions.iter().zip(&verifications).enumerate() {
        match question.answer(&app, &allowed, (began, &request_id), verification) {
            Ok(answer) => items.push(answer),
            Err(full) => {
                // Nobody is told of the rest, nor are they counted.
                for verification in &verifications[index + 1..] {
                    app.engine.give_back(verification);
                }
                return Err(full);
            }
        }
    }
    Ok(Json(Answers { items }))
}

/// Fails unless all questions can be answered.
fn check(questions: &[Question]) -> Result<(), Problem> {
    if !(1..=MOST_ITEMS).contains(&questions.len()) {
        let detail = format!("a call asks about 1 to {MOST_ITEMS} tokens");
        return Err(Problem::bad_field("/items", detail));
    }
    let mut errors = FieldErrors::default();
    for (index, question) in questions.iter().enumerate() {
        let mut own = FieldErrors::default();
        question.check(&mut own);
        errors.add_all(&format!("/items/{index}"), own);
    }
    errors.check_first(MOST_ERRORS)
}
