//! `GET /console`

mod installation;
mod lists;
mod today;

use askama::Template;
use axum::extract::State;

use installation::Installation;
use lists::{Change, Expiring, Newest};
use today::Today;

use super::Console;
use super::frame::{Frame, Place};
use super::session::{Role, SignedIn};
use super::stop::{Shown, page};
use super::usage::Card;

#[derive(Template)]
#[template(path = "console/home/page.html")]
struct Page {
    frame: Frame,
    is_operator: bool,
    today: Card<Today>,
    expiring: Card<Expiring>,
    newest: Card<Vec<Newest>>,
    changes: Card<Vec<Change>>,
    installation: Option<Installation>,
}

impl Page {
    /// Whether there is no token yet, so that there is one thing to do.
    fn is_first(&self) -> bool {
        self.newest.as_ref().is_ok_and(Vec::is_empty)
    }
}

/// The first page: what matters now.
pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn) -> Shown {
    let (api, now) = (&signed_in.api, console.app.now());
    let is_operator = signed_in.person.role == Role::Operator;
    let (today, expiring, newest, changes, installation) = tokio::join!(
        today::read(api, now),
        lists::expiring(api, now),
        lists::newest(api, now),
        lists::changes(api, now),
        async {
            if is_operator {
                Some(installation::read_all(api, now).await)
            } else {
                None
            }
        },
    );
    page(&Page {
        frame: Frame::new(&signed_in, Place::Home, "Home"),
        is_operator,
        today,
        expiring,
        newest,
        changes,
        installation,
    })
}
