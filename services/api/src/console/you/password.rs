//! `POST /console/you/password`

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tollkeeper_read_model::audit::{self, Act};

use super::{Complaints, Page, newcomer};
use crate::console::Console;
use crate::console::form::Form;
use crate::console::password::{Compared, NewPassword, Typed};
use crate::console::session::{SignedIn, Visit, begin, store};
use crate::console::sign_in::throttle::{self, Payer};
use crate::console::stop::{Shown, go_to, page_with};
use crate::console::words;

#[derive(Deserialize)]
pub(super) struct Fields {
    current: Typed,
    password: Typed,
    repeated: Typed,
}

/// Changes the password of whoever knows the present one. Every session ends but this one, which goes on
/// with a new secret.
pub(super) async fn change(
    State(console): State<Console>,
    visit: Visit,
    form: Form<Fields>,
) -> Shown {
    let Form { signed_in, fields } = form;
    let new = NewPassword {
        password: fields.password,
        repeated: fields.repeated,
    };
    let email = &signed_in.person.email;
    let refused = console.passwords.complaint(&new, email).await?;
    if let Some(complaint) = refused {
        let new = Some(complaint);
        let complaints = Complaints { current: None, new };
        return again(
            &console,
            &signed_in,
            complaints,
            StatusCode::UNPROCESSABLE_ENTITY,
        )
        .await;
    }
    // Whoever found a browser that is signed in guesses no better than at the sign-in; and whoever guesses
    // there does not keep anybody from this.
    let payers = [Payer::person(signed_in.person.id)];
    let pool = &console.app.pool;
    if let Err(too_many) = throttle::charge(pool, &payers, console.app.now()).await? {
        let wait = words::span(too_many.wait);
        let text = format!("There were too many attempts. Try again in {wait}.");
        return again(
            &console,
            &signed_in,
            of_current(text),
            StatusCode::TOO_MANY_REQUESTS,
        )
        .await;
    }
    let id = signed_in.person.id;
    let present = sqlx::query_scalar!("select password_hash from console_people where id = $1", id)
        .fetch_optional(pool)
        .await?
        .flatten();
    let compared = console
        .passwords
        .compare(fields.current, present.as_deref());
    if compared.await? == Compared::Different {
        let text = "This is not your password.".to_owned();
        return again(
            &console,
            &signed_in,
            of_current(text),
            StatusCode::UNPROCESSABLE_ENTITY,
        )
        .await;
    }
    let hash = console.passwords.hash(new.password).await?;
    let mut transaction = pool.begin().await?;
    let done = sqlx::query!(
        "update console_people set password_hash = $3
        where id = $1 and password_hash = $2 and disabled_at is null",
        id,
        present,
        hash,
    )
    .execute(&mut *transaction)
    .await?;
    if done.rows_affected() == 0 {
        let text = "Your password was changed in between.".to_owned();
        return again(&console, &signed_in, of_current(text), StatusCode::CONFLICT).await;
    }
    store::end_all(&mut *transaction, id).await?;
    throttle::forgive(&mut *transaction, &Payer::person(id)).await?;
    let person = newcomer(&signed_in);
    let actor = person.actor();
    let entry = person.entry(&actor, &visit, Act::PersonPasswordSet);
    audit::note(&mut *transaction, &entry.with("way", "change")).await?;
    let cookies = begin(&console, &mut transaction, &visit, &person, "change").await?;
    transaction.commit().await?;
    Ok(cookies.along(go_to("/console/you?done=password-changed")))
}

fn of_current(text: String) -> Complaints {
    Complaints {
        current: Some(text),
        new: None,
    }
}

async fn again(
    console: &Console,
    signed_in: &SignedIn,
    complaints: Complaints,
    status: StatusCode,
) -> Shown {
    let mut page = Page::of(console, signed_in).await?;
    page.complaints = complaints;
    page_with(status, &page)
}
