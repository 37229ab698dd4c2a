//! `GET` and `POST /console/password/{secret}`: somebody chooses a password by the link that they were given,
//! and is signed in.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tollkeeper_read_model::audit::{self, Act};
use tollkeeper_read_model::people::{self, Link, LinkSecret};

use super::throttle::{self, Payer};
use crate::console::form::OpenForm;
use crate::console::frame::Frame;
use crate::console::password::NewPassword;
use crate::console::session::{Newcomer, Visit, begin, device, store};
use crate::console::stop::{Shown, go_to, page, page_with};
use crate::console::words::Moment;
use crate::console::{Console, PREFIX};
use crate::http::path::Text;

#[derive(Template)]
#[template(path = "console/sign_in/link.html")]
struct Page<'a> {
    frame: Frame,
    link: &'a Link,
    ends: Moment,
    complaint: Option<String>,
}

#[derive(Template)]
#[template(path = "console/sign_in/link_over.html")]
struct Over {
    frame: Frame,
}

/// The form, or that the link does not work any more.
pub(super) async fn show(State(console): State<Console>, Text(secret): Text) -> Shown {
    match working(&console, &secret).await? {
        Some((_, link)) => page(&form(&console, &link, None)),
        None => over(),
    }
}

/// Sets the password, if the link works until then: of those who use it at once, one does.
pub(super) async fn set(
    State(console): State<Console>,
    Text(secret): Text,
    visit: Visit,
    OpenForm(new): OpenForm<NewPassword>,
) -> Shown {
    let Some((secret, link)) = working(&console, &secret).await? else {
        return over();
    };
    let refused = console.passwords.complaint(&new, &link.email).await?;
    if refused.is_some() {
        let form = form(&console, &link, refused);
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &form);
    }
    let hash = console.passwords.hash(new.password).await?;
    match spend(&console, &visit, &secret, &hash).await? {
        Some(response) => Ok(response),
        None => over(),
    }
}

async fn spend(
    console: &Console,
    visit: &Visit,
    secret: &LinkSecret,
    hash: &str,
) -> Result<Option<Response>, sqlx::Error> {
    let mut transaction = console.app.pool.begin().await?;
    let now = console.app.now();
    let Some(id) = people::spend_link(&mut *transaction, secret, now).await? else {
        return Ok(None);
    };
    let changed = sqlx::query!(
        "update console_people set password_hash = $2 where id = $1 and disabled_at is null
        returning email, account_id",
        id,
        hash,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(row) = changed else { return Ok(None) };
    let person = Newcomer {
        id,
        email: row.email,
        account_id: row.account_id.map(Into::into),
    };
    // Whoever knew the old one is out, and guesses like any other.
    store::end_all(&mut *transaction, id).await?;
    device::forget_all(&mut *transaction, id).await?;
    throttle::forgive(&mut *transaction, &Payer::email(&person.email)).await?;
    let actor = person.actor();
    let entry = person.entry(&actor, visit, Act::PersonPasswordSet);
    audit::note(&mut *transaction, &entry.with("way", "link")).await?;
    let cookies = begin(console, &mut transaction, visit, &person, "link").await?;
    transaction.commit().await?;
    Ok(Some(cookies.along(go_to(PREFIX))))
}

async fn working(
    console: &Console,
    secret: &str,
) -> Result<Option<(LinkSecret, Link)>, sqlx::Error> {
    let Some(secret) = LinkSecret::read(secret) else {
        return Ok(None);
    };
    let link = people::owner_of_link(&console.app.pool, &secret, console.app.now()).await?;
    Ok(link.map(|link| (secret, link)))
}

fn form<'a>(console: &Console, link: &'a Link, complaint: Option<String>) -> Page<'a> {
    Page {
        frame: Frame::outside("Choose a password"),
        ends: Moment {
            at: link.expires_at,
            now: console.app.now(),
        },
        link,
        complaint,
    }
}

fn over() -> Shown {
    let frame = Frame::outside("This link does not work");
    page_with(StatusCode::NOT_FOUND, &Over { frame })
}
