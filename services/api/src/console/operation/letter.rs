//! `GET /console/operation/dead-letters/{id}`

use askama::Template;
use axum::extract::State;

use super::letters::{Letter, Row};
use crate::console::Console;
use crate::console::frame::{Frame, Place};
use crate::console::session::OperatorIn;
use crate::console::stop::{Shown, page};
use crate::http::path::Number;

#[derive(Template)]
#[template(path = "console/operation/letter.html")]
struct Page {
    frame: Frame,
    letter: Row,
}

/// What is known of one letter.
pub(super) async fn show(
    State(console): State<Console>,
    OperatorIn(signed_in): OperatorIn,
    Number(id): Number,
) -> Shown {
    let path = format!("/v1/dead-letters/{id}");
    let letter: Letter = signed_in.api.get(&path, &()).await?;
    page(&Page {
        frame: Frame::new(
            &signed_in,
            Place::Operation,
            format!("Dead letter {}", letter.id),
        ),
        letter: letter.row(console.app.now()),
    })
}
