//! `GET` and `POST /console/accounts/new`

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};

use super::account::Account;
use super::fields::{Complaints, Fields, LimitRow};
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::{Frame, Place};
use crate::console::rows::QuotaRow;
use crate::console::session::{OperatorIn, SignedIn};
use crate::console::stop::{Shown, Stop, go_to, page_with};

#[derive(Template)]
#[template(path = "console/accounts/new.html")]
struct Page {
    frame: Frame,
    fields: Fields,
    limits: Vec<LimitRow>,
    quotas: Vec<QuotaRow>,
    complaints: Complaints,
}

/// The empty form.
pub(super) async fn show(
    State(console): State<Console>,
    OperatorIn(signed_in): OperatorIn,
) -> Shown {
    let fields = Fields {
        key: console.app.new_id().to_string(),
        role: "user".to_owned(),
        ..Fields::default()
    };
    form(&signed_in, StatusCode::OK, fields, Complaints::default())
}

fn form(signed_in: &SignedIn, status: StatusCode, fields: Fields, complaints: Complaints) -> Shown {
    let page = Page {
        frame: Frame::new(signed_in, Place::Accounts, "Register an account"),
        limits: fields.limit_rows(),
        quotas: fields.quota_rows(),
        fields,
        complaints,
    };
    page_with(status, &page)
}

/// Registers it.
pub(super) async fn register(
    State(console): State<Console>,
    Form {
        signed_in,
        mut fields,
    }: Form<Fields>,
) -> Shown {
    signed_in.must_be_operator()?;
    let change = signed_in.api.change(Method::POST, "/v1/accounts");
    let body = fields.body();
    let registered = change.once(&fields.key).with::<Account>(&body);
    match registered.await {
        Ok(account) => Ok(go_to(&format!("{}?done=registered", account.page()))),
        Err(Stop::Refused(refused)) if refused.is_about_input() => {
            // What is sent again is another account.
            fields.key = console.app.new_id().to_string();
            form(&signed_in, refused.status(), fields, (*refused).into())
        }
        Err(stop) => Err(stop),
    }
}
