//! `GET /console/people/new` and `POST /console/people`

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::audit::Act;
use tollkeeper_read_model::people::{self, Email, NewPerson};
use uuid::Uuid;

use super::given::{self, Given};
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::{Frame, Place};
use crate::console::session::{OperatorIn, SignedIn, Visit};
use crate::console::stop::{Shown, Stop, page, page_with};
use crate::http::query::Parameters;

/// Somebody to be added, as it was typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    email: String,
    role: String,
    account: String,
}

/// What is wrong with it.
#[derive(Debug, Default)]
struct Complaints {
    email: Option<String>,
    account: Option<String>,
}

#[derive(Template)]
#[template(path = "console/people/new.html")]
struct Page<'a> {
    frame: Frame,
    fields: &'a Fields,
    complaints: Complaints,
}

impl<'a> Page<'a> {
    fn new(signed_in: &SignedIn, fields: &'a Fields, complaints: Complaints) -> Self {
        Self {
            frame: Frame::new(signed_in, Place::People, "Add a person"),
            fields,
            complaints,
        }
    }

    fn is_user(&self) -> bool {
        self.fields.role == "user"
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// The account that the person is to hold.
    #[serde(default)]
    account: String,
}

/// The form.
pub(super) async fn show(
    OperatorIn(signed_in): OperatorIn,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let role = if query.account.is_empty() {
        "operator"
    } else {
        "user"
    };
    let fields = Fields {
        email: String::new(),
        role: role.to_owned(),
        account: query.account,
    };
    page(&Page::new(&signed_in, &fields, Complaints::default()))
}

/// Adds somebody, and shows the link by which they set a password.
pub(super) async fn add(State(console): State<Console>, visit: Visit, form: Form<Fields>) -> Shown {
    let Form { signed_in, fields } = form;
    signed_in.must_be_operator()?;
    let mut complaints = Complaints::default();
    let email = match fields.email.parse::<Email>() {
        Ok(email) => Some(email),
        Err(bad) => {
            complaints.email = Some(bad.to_string());
            None
        }
    };
    let account = match fields.role.as_str() {
        "user" => match account(&signed_in, fields.account.trim()).await? {
            Some(id) => Some(id),
            None => {
                let text = "There is no account with this id or external id.";
                complaints.account = Some(text.to_owned());
                None
            }
        },
        _ => None,
    };
    if let (Some(email), None) = (&email, &complaints.account) {
        if let Some(given) = added(&console, &visit, &signed_in, email, account).await? {
            return given::show(&console, &visit, &signed_in, &given);
        }
        let text = "Somebody with this address is here already.";
        complaints.email = Some(text.to_owned());
    }
    let page = Page::new(&signed_in, &fields, complaints);
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

async fn added(
    console: &Console,
    visit: &Visit,
    signed_in: &SignedIn,
    email: &Email,
    account_id: Option<AccountId>,
) -> Result<Option<Given>, sqlx::Error> {
    let person = NewPerson {
        id: console.app.new_id(),
        email,
        account_id,
        at: console.app.now(),
    };
    let mut transaction = console.app.pool.begin().await?;
    if !people::add(&mut *transaction, person).await? {
        return Ok(None);
    }
    given::note(
        &mut transaction,
        visit,
        signed_in,
        person.id,
        Act::PersonAdded,
    )
    .await?;
    let whose = (person.id, email.as_str());
    let given = given::give(console, &mut transaction, visit, signed_in, whose).await?;
    transaction.commit().await?;
    Ok(Some(given))
}

#[derive(Deserialize)]
struct Found {
    id: Uuid,
}

#[derive(Deserialize)]
struct Accounts {
    items: Vec<Found>,
}

#[derive(Serialize)]
struct ByName<'a> {
    external_id: &'a str,
}

/// The account of this id, or of this external id.
async fn account(signed_in: &SignedIn, typed: &str) -> Result<Option<AccountId>, Stop> {
    if typed.is_empty() {
        return Ok(None);
    }
    let api = &signed_in.api;
    if let Ok(id) = typed.parse::<Uuid>() {
        let found = api.get::<Found>(&format!("/v1/accounts/{id}"), &()).await;
        match found {
            Ok(found) => return Ok(Some(AccountId(found.id))),
            Err(Stop::Refused(refused)) if refused.status == 404 => {}
            Err(stop) => return Err(stop),
        }
    }
    let asked = ByName { external_id: typed };
    let found: Accounts = api.get("/v1/accounts", &asked).await?;
    Ok(found.items.first().map(|found| AccountId(found.id)))
}
