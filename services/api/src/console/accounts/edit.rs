//! `GET` and `POST /console/accounts/{id}/edit`

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};

use super::account::{Account, page_of};
use super::fields::{Complaints, Fields, LimitRow};
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::{Frame, Place};
use crate::console::rows::QuotaRow;
use crate::console::session::{OperatorIn, SignedIn};
use crate::console::stop::{Shown, Stop, go_to, page_with};
use crate::http::path::Id;

#[derive(Template)]
#[template(path = "console/accounts/edit.html")]
struct Page {
    frame: Frame,
    page: String,
    title: String,
    fields: Fields,
    limits: Vec<LimitRow>,
    quotas: Vec<QuotaRow>,
    complaints: Complaints,
}

/// The form, with what the account is.
pub(super) async fn show(
    State(_console): State<Console>,
    OperatorIn(signed_in): OperatorIn,
    Id(id): Id,
) -> Shown {
    let account = Account::read(&signed_in.api, id).await?;
    let fields = Fields::of(&account);
    form(
        &signed_in,
        &account,
        StatusCode::OK,
        fields,
        Complaints::default(),
    )
}

fn form(
    signed_in: &SignedIn,
    account: &Account,
    status: StatusCode,
    fields: Fields,
    complaints: Complaints,
) -> Shown {
    let title = account.title();
    let page = Page {
        frame: Frame::new(signed_in, Place::Accounts, format!("Change {title}")),
        page: account.page(),
        title,
        limits: fields.limit_rows(),
        quotas: fields.quota_rows(),
        fields,
        complaints,
    };
    page_with(status, &page)
}

/// Changes it, if it is still as it was shown.
pub(super) async fn change(
    State(_console): State<Console>,
    Id(id): Id,
    Form { signed_in, fields }: Form<Fields>,
) -> Shown {
    signed_in.must_be_operator()?;
    let path = format!("/v1/accounts/{id}");
    let change = signed_in.api.change(Method::PATCH, &path);
    let body = fields.body();
    let changed = change.of_version(fields.version).with::<Account>(&body);
    match changed.await {
        Ok(_) => Ok(go_to(&format!("{}?done=changed", page_of(id)))),
        Err(Stop::Refused(refused)) if refused.is_about_input() => {
            let account = Account::read(&signed_in.api, id).await?;
            form(
                &signed_in,
                &account,
                refused.status(),
                fields,
                (*refused).into(),
            )
        }
        Err(stop) => Err(stop),
    }
}
