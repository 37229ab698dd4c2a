//! `/console/tokens/new`

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::choice::{Choice, choices};
use super::fields::{Fields, LimitRow, PRESETS, Wrong};
use super::filter;
use super::is_shown_above;
use super::secret::{self, WithSecret};
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::refused::Refused;
use crate::console::rows::QuotaRow;
use crate::console::session::{Role, SignedIn};
use crate::console::stop::{Shown, Stop, page_with};
use crate::http::query::Parameters;

/// How many accounts are offered to choose from; any other is named by who knows it.
const OFFERED: u32 = 100;

pub(super) const WINDOWS: [(&str, &str); 5] = [
    ("1", "second"),
    ("60", "minute"),
    ("3600", "hour"),
    ("86400", "day"),
    ("2592000", "30 days"),
];

pub(super) const REFILLS: [(&str, &str); 3] = [
    ("monthly", "a month"),
    ("daily", "a day"),
    ("none", "in all"),
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    /// The owner, by id or external id.
    account: String,
}

/// An account to choose.
#[derive(Debug, Deserialize)]
struct Account {
    id: String,
    external_id: Option<String>,
    name: Option<String>,
}

impl Account {
    /// By what the form names it.
    fn key(&self) -> &str {
        self.external_id.as_deref().unwrap_or(&self.id)
    }

    fn words(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

/// An expiry to choose.
#[derive(Debug)]
pub(super) struct Expiry {
    pub(super) value: &'static str,
    pub(super) words: String,
    pub(super) is_chosen: bool,
}

#[derive(Template)]
#[template(path = "console/tokens/new.html")]
struct Page {
    frame: Frame,
    fields: Fields,
    refused: Option<Refused>,
    is_operator: bool,
    accounts: Vec<Account>,
    environments: Vec<Choice>,
    expiries: Vec<Expiry>,
    limits: Vec<LimitRow>,
    quotas: Vec<QuotaRow>,
}

impl Page {
    fn about(&self, pointer: &str) -> Vec<&str> {
        about(self.refused.as_ref(), pointer)
    }

    /// Whether something is asked for, or wrong, that most tokens do without.
    fn is_bounded(&self) -> bool {
        let Fields {
            allowed_cidrs,
            metadata,
            ..
        } = &self.fields;
        let texts = [allowed_cidrs, metadata];
        let is_typed = texts.iter().any(|text| !text.trim().is_empty());
        let pointers = ["/allowed_cidrs", "/rate_limits", "/quotas", "/metadata"];
        let is_wrong = pointers.iter().any(|it| !self.about(it).is_empty());
        is_typed || is_wrong || !self.fields.limits().is_empty() || !self.fields.quotas().is_empty()
    }

    fn windows(&self, chosen: &str) -> Vec<Choice> {
        windows(chosen)
    }

    fn refills(&self, chosen: &str) -> Vec<Choice> {
        refills(chosen)
    }
}

/// What is wrong with a field.
pub(super) fn about<'a>(refused: Option<&'a Refused>, pointer: &str) -> Vec<&'a str> {
    refused.map(|it| it.about(pointer)).unwrap_or_default()
}

/// The windows that a rate limit can be chosen to have.
pub(super) fn windows(chosen: &str) -> Vec<Choice> {
    choices(&WINDOWS, if chosen.is_empty() { "60" } else { chosen })
}

/// How often a quota can be chosen to be full again.
pub(super) fn refills(chosen: &str) -> Vec<Choice> {
    choices(&REFILLS, if chosen.is_empty() { "monthly" } else { chosen })
}

/// The form.
pub(super) async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let fields = Fields {
        account: query.account,
        expiry: "90d".to_owned(),
        ..Fields::default()
    };
    form(&console, &signed_in, fields, None).await
}

async fn form(
    console: &Console,
    signed_in: &SignedIn,
    mut fields: Fields,
    refused: Option<Refused>,
) -> Shown {
    // A request that was not understood is another one when it is sent again. One that is still under
    // way is not: it would be done twice.
    let is_under_way = refused.as_ref().is_some_and(|it| it.status == 409);
    if fields.key.is_empty() || !is_under_way {
        fields.key = console.app.new_id().to_string();
    }
    let is_operator = signed_in.person.role == Role::Operator;
    let mut frame = Frame::new(signed_in, Place::Tokens, "Issue a token");
    if let Some(refused) = &refused {
        frame = frame.saying(Tone::Bad, words(refused));
    }
    let status = refused.as_ref().map_or(StatusCode::OK, Refused::status);
    let accounts = if is_operator {
        offered(signed_in).await?
    } else {
        Vec::new()
    };
    // Where there is no choice it is made.
    if let ([only], None, true) = (&accounts[..], &refused, fields.account.is_empty()) {
        only.key().clone_into(&mut fields.account);
    }
    let page = Page {
        accounts,
        environments: choices(&[("live", "Live"), ("test", "Test")], &fields.environment),
        expiries: expiries(console, &fields.expiry),
        limits: fields.limit_rows(),
        quotas: fields.quota_rows(),
        frame,
        fields,
        refused,
        is_operator,
    };
    page_with(status, &page)
}

/// What a refusal says above a form.
fn words(refused: &Refused) -> String {
    match refused.code.as_str() {
        "IDEMPOTENCY_KEY_REUSED" => {
            "This form has issued a token already. To issue one more, look over the fields and \
            send it again."
                .to_owned()
        }
        _ => refused.detail.clone(),
    }
}

async fn offered(signed_in: &SignedIn) -> Result<Vec<Account>, Stop> {
    #[derive(Serialize)]
    struct Query {
        limit: u32,
    }
    #[derive(Deserialize)]
    struct Answer {
        items: Vec<Account>,
    }
    let query = Query { limit: OFFERED };
    let answer: Answer = signed_in.api.get("/v1/accounts", &query).await?;
    Ok(answer.items)
}

/// The ends that may be chosen here.
fn expiries(console: &Console, chosen: &str) -> Vec<Expiry> {
    let longest = console.app.policy.longest_lifetime;
    // The longest has a name of its own.
    let fits = |days| longest.is_none_or(|longest| days < longest.num_days());
    let presets = PRESETS.iter().filter(|(_, _, days)| fits(*days));
    let presets = presets.map(|&(value, name, _)| (value, format!("In {name}")));
    let last = match longest {
        Some(longest) => (
            "longest",
            format!("As late as may be: in {} days", longest.num_days()),
        ),
        None => ("never", "Never".to_owned()),
    };
    let at = ("at", "On a date".to_owned());
    let all: Vec<_> = presets.chain([at, last]).collect();
    let is_there = all.iter().any(|(value, _)| *value == chosen);
    // A preset that is too long here: the longest takes its place.
    let chosen = if is_there { chosen } else { "longest" };
    let expiry = |(value, words)| Expiry {
        is_chosen: value == chosen,
        value,
        words,
    };
    all.into_iter().map(expiry).collect()
}

/// Issues the token, and shows its secret.
pub(super) async fn issue(
    State(console): State<Console>,
    headers: HeaderMap,
    Form { signed_in, fields }: Form<Fields>,
) -> Shown {
    let mut wrong = Wrong::default();
    let mut body = fields.whole(&mut wrong);
    if signed_in.person.role == Role::Operator {
        let owner = filter::account(&signed_in.api, &fields.account).await?;
        name_owner(owner, &mut body, &mut wrong);
    }
    if let Some(refused) = wrong.refused() {
        return form(&console, &signed_in, fields, Some(refused)).await;
    }
    let change = signed_in.api.change(Method::POST, "/v1/tokens");
    match change.once(&fields.key).with::<WithSecret>(&body).await {
        Ok(issued) => secret::page(&console, &signed_in, &headers, issued, None),
        Err(Stop::Refused(refused)) if is_shown_above(&refused) => {
            form(&console, &signed_in, fields, Some(*refused)).await
        }
        Err(stop) => Err(stop),
    }
}

fn name_owner(
    owner: Result<Option<uuid::Uuid>, filter::NoSuchAccount>,
    body: &mut Map<String, Value>,
    wrong: &mut Wrong,
) {
    match owner {
        Ok(Some(id)) => {
            body.insert("account_id".to_owned(), json!(id));
        }
        Ok(None) => wrong.add("/account_id", "say whose token it is to be"),
        Err(filter::NoSuchAccount) => wrong.add(
            "/account_id",
            "there is no account with this id or external id",
        ),
    }
}
