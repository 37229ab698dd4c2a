//! `GET` and `POST /console/sign-in`

use askama::Template;
use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use serde::Deserialize;
use sqlx::PgConnection;
use tollkeeper_read_model::people::Email;

use super::attempt::{self, Why};
use super::throttle::{self, Payer, TooMany};
use super::way;
use crate::console::Console;
use crate::console::form::OpenForm;
use crate::console::frame::{Frame, Tone};
use crate::console::password::{Compared, Typed};
use crate::console::session::{Newcomer, Secret, SignedIn, Visit, begin, device};
use crate::console::stop::{Shown, Stop, go_to, page, page_with};
use crate::console::words;
use crate::http::query::Parameters;

#[derive(Template)]
#[template(path = "console/sign_in/sign_in.html")]
struct Page<'a> {
    frame: Frame,
    email: &'a str,
    next: &'a str,
    /// What the provider is called, and where the way to it begins.
    provider: Option<(&'a str, String)>,
    complaint: Option<String>,
}

impl<'a> Page<'a> {
    fn new(console: &'a Console, email: &'a str, next: &'a str) -> Self {
        let provider = console.app.policy.oidc.as_ref();
        Self {
            frame: Frame::outside("Sign in"),
            email,
            next,
            provider: provider.map(|it| (it.name(), way::with_next("/console/sign-in/oidc", next))),
            complaint: None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// Where the way leads then.
    #[serde(default)]
    next: String,
    /// What was done before.
    #[serde(default)]
    done: String,
}

/// The form.
pub(super) async fn show(
    State(console): State<Console>,
    signed_in: Result<SignedIn, Stop>,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let next = way::own(&query.next);
    if signed_in.is_ok() {
        return Ok(go_to(next));
    }
    let mut shown = Page::new(&console, "", next);
    let done = match query.done.as_str() {
        "signed-out" => Some((Tone::Good, "You are signed out.")),
        "signed-out-everywhere" => Some((Tone::Good, "You are signed out everywhere.")),
        "form-lost" => Some((
            Tone::Bad,
            "Your session is over, so what you sent was not done. Once you are signed in, the form is there again.",
        )),
        _ => None,
    };
    if let Some((tone, done)) = done {
        shown.frame = shown.frame.saying(tone, done);
    }
    page(&shown)
}

#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: Typed,
    #[serde(default)]
    next: String,
}

/// Signs somebody in by their password. That there is nobody of this address, and that the password is
/// another, is the same answer after the same work.
pub(super) async fn sign_in(
    State(console): State<Console>,
    visit: Visit,
    OpenForm(fields): OpenForm<Fields>,
) -> Shown {
    let next = way::own(&fields.next);
    let typed = fields.email.trim();
    let shown = Page::new(&console, typed, next);
    let browser = device::read(&visit.headers);
    let known = match typed.parse::<Email>() {
        Ok(email) => Known::find(&console, &email, browser.as_ref()).await?,
        Err(_) => None,
    };
    // Whoever guesses elsewhere does not shut out who was here before.
    let own = browser.filter(|_| known.as_ref().is_some_and(|it| it.was_here));
    let payers = match &own {
        Some(secret) => vec![Payer::device(secret)],
        None => vec![Payer::network(visit.address), Payer::email(typed)],
    };
    let charged = throttle::charge(&console.app.pool, &payers, console.app.now()).await?;
    let tried = known.as_ref().map(|known| &known.newcomer);
    if let Err(too_many) = charged {
        attempt::refused(&console, &visit, tried, Why::TooMany);
        return later(shown, too_many);
    }
    let hash = known.as_ref().and_then(|it| it.password_hash.as_deref());
    let compared = console.passwords.compare(fields.password.clone(), hash);
    let better = match compared.await? {
        Compared::Different => {
            attempt::refused(&console, &visit, tried, Why::WrongPassword);
            return wrong(shown);
        }
        Compared::Same => None,
        Compared::SameButWeak => Some(console.passwords.hash(fields.password).await?),
    };
    let Some(known) = known else {
        return wrong(shown);
    };
    let mut transaction = console.app.pool.begin().await?;
    if !known.still_holds(&mut transaction, better).await? {
        return wrong(shown);
    }
    let cookies = begin(
        &console,
        &mut transaction,
        &visit,
        &known.newcomer,
        "password",
    )
    .await?;
    // What is charged to others stays so.
    let own = own.map_or_else(|| Payer::email(typed), |secret| Payer::device(&secret));
    throttle::forgive(&mut *transaction, &own).await?;
    transaction.commit().await?;
    Ok(cookies.along(go_to(next)))
}

fn wrong(mut shown: Page<'_>) -> Shown {
    let text = "There is nobody with this address and password. Look at both, and try again.";
    shown.complaint = Some(text.to_owned());
    page_with(StatusCode::FORBIDDEN, &shown)
}

fn later(mut shown: Page<'_>, too_many: TooMany) -> Shown {
    let wait = words::span(too_many.wait);
    let text = format!("There were too many attempts. Try again in {wait}.");
    shown.complaint = Some(text);
    let mut response = page_with(StatusCode::TOO_MANY_REQUESTS, &shown)?;
    let seconds = HeaderValue::from(too_many.wait.num_seconds());
    response.headers_mut().insert(RETRY_AFTER, seconds);
    Ok(response)
}

/// Somebody who may sign in, and by what.
#[derive(Debug)]
struct Known {
    newcomer: Newcomer,
    password_hash: Option<String>,
    /// Whether they have signed in with this browser before.
    was_here: bool,
}

impl Known {
    async fn find(
        console: &Console,
        email: &Email,
        browser: Option<&Secret>,
    ) -> Result<Option<Self>, sqlx::Error> {
        let browser = browser.map(|secret| secret.hash().to_vec());
        let row = sqlx::query!(
            r#"select p.id, p.email, p.account_id, p.password_hash, exists (
                select from console_devices
                where secret_hash = $2 and person_id = p.id and used_at > $3
            ) as "was_here!"
            from console_people as p where lower(p.email) = lower($1) and p.disabled_at is null"#,
            email.as_str(),
            browser,
            console.app.now() - device::KEPT,
        )
        .fetch_optional(&console.app.pool)
        .await?;
        Ok(row.map(|row| Self {
            newcomer: Newcomer {
                id: row.id,
                email: row.email,
                account_id: row.account_id.map(Into::into),
            },
            password_hash: row.password_hash,
            was_here: row.was_here,
        }))
    }

    /// Whether the password is still the one that was compared, and so until the transaction ends. Puts a
    /// better hash of it in its place.
    async fn still_holds(
        &self,
        db: &mut PgConnection,
        better: Option<String>,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update console_people set password_hash = coalesce($3, password_hash)
            where id = $1 and password_hash = $2 and disabled_at is null",
            self.newcomer.id,
            self.password_hash,
            better,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
