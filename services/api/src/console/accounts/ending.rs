//! `GET` and `POST /console/accounts/{id}/suspend`, `/resume` and `/delete`: changes of all tokens of an
//! account at once, so they ask first.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::account::{Account, active_tokens, page_of};
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::{Frame, Place};
use crate::console::session::{OperatorIn, SignedIn};
use crate::console::stop::{Shown, Stop, go_to, page, page_with};
use crate::http::problem::Problem;

/// One of the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    Suspend,
    Resume,
    Delete,
}

impl Change {
    /// As paths name it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Delete => "delete",
        }
    }

    /// As buttons name it.
    const fn name(self) -> &'static str {
        match self {
            Self::Suspend => "Suspend",
            Self::Resume => "Resume",
            Self::Delete => "Delete",
        }
    }

    /// How the management API is asked for it.
    fn operation(self, id: Uuid) -> (Method, String) {
        match self {
            Self::Delete => (Method::DELETE, format!("/v1/accounts/{id}")),
            Self::Suspend | Self::Resume => {
                let path = format!("/v1/accounts/{id}/{}", self.word());
                (Method::POST, path)
            }
        }
    }
}

/// What was typed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Fields {
    /// Of a change that cannot be taken back: what the account is called.
    #[serde(default)]
    typed: String,
}

#[derive(Template)]
#[template(path = "console/accounts/ending.html")]
struct Page {
    frame: Frame,
    change: Change,
    page: String,
    title: String,
    active: String,
    /// What is wrong with what was typed.
    complaint: Option<String>,
}

/// Which account, and what is to become of it. A word that is none of the changes is no path.
type Meant = Result<Path<(Uuid, Change)>, axum::extract::rejection::PathRejection>;

fn meant(path: Meant) -> Result<(Uuid, Change), Problem> {
    let Path(meant) = path.map_err(|_| Problem::not_found("path"))?;
    Ok(meant)
}

/// Asks whether it is meant, and tells how many tokens it concerns.
pub(super) async fn ask(
    State(_console): State<Console>,
    OperatorIn(signed_in): OperatorIn,
    path: Meant,
) -> Shown {
    let (id, change) = meant(path)?;
    let account = Account::read(&signed_in.api, id).await?;
    page(&asking(&signed_in, &account, change, None).await?)
}

async fn asking(
    signed_in: &SignedIn,
    account: &Account,
    change: Change,
    complaint: Option<String>,
) -> Result<Page, Stop> {
    let title = account.title();
    let said = format!("{} {title}", change.name());
    Ok(Page {
        frame: Frame::new(signed_in, Place::Accounts, said),
        change,
        page: account.page(),
        active: active_tokens(&signed_in.api, account.id).await?,
        title,
        complaint,
    })
}

/// Does it.
pub(super) async fn carry_out(
    State(_console): State<Console>,
    path: Meant,
    Form { signed_in, fields }: Form<Fields>,
) -> Shown {
    signed_in.must_be_operator()?;
    let (id, change) = meant(path)?;
    let account = Account::read(&signed_in.api, id).await?;
    if change == Change::Delete && fields.typed.trim() != account.title() {
        let complaint = format!("type {} to delete it", account.title());
        let page = asking(&signed_in, &account, change, Some(complaint)).await?;
        return page_with(axum::http::StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let (method, path) = change.operation(id);
    let done = signed_in.api.change(method, &path).plain::<IgnoredAny>();
    match done.await {
        Ok(_) => Ok(go_to(&format!("{}?done={}", page_of(id), change.word()))),
        Err(Stop::Refused(refused)) if refused.is_about_input() => {
            let complaint = Some(refused.detail.clone());
            let page = asking(&signed_in, &account, change, complaint).await?;
            page_with(refused.status(), &page)
        }
        Err(stop) => Err(stop),
    }
}
