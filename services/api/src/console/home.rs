//! `GET /console`

use askama::Template;
use axum::extract::State;

use super::Console;
use super::frame::{Frame, Place};
use super::session::SignedIn;
use super::stop::{Shown, page};

#[derive(Template)]
#[template(path = "console/home.html")]
struct Page {
    frame: Frame,
}

/// The first page.
pub(super) async fn show(State(_console): State<Console>, signed_in: SignedIn) -> Shown {
    page(&Page {
        frame: Frame::new(&signed_in, Place::Home, "Home"),
    })
}
