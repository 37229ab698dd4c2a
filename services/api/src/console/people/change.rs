//! `POST /console/people/{id}/…`: disabling somebody, letting them in again, and giving them a new link.

use axum::extract::State;
use serde::Deserialize;
use sqlx::PgConnection;
use tollkeeper_read_model::audit::Act;
use tollkeeper_read_model::people;
use uuid::Uuid;

use super::given;
use crate::console::Console;
use crate::console::form::Form;
use crate::console::session::{SignedIn, Visit};
use crate::console::stop::{Shown, Stop, go_to};
use crate::http::path::Id;
use crate::http::problem::Problem;

#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// Signs somebody out for good. Nobody does it to themselves: one operator stays.
pub(super) async fn disable(
    State(console): State<Console>,
    Id(id): Id,
    visit: Visit,
    form: Form<Nothing>,
) -> Shown {
    form.signed_in.must_be_operator()?;
    if id == form.signed_in.person.id {
        let detail = "nobody disables themselves; another operator can do it";
        return Err(Problem::conflict("YOURSELF", detail).into());
    }
    let mut db = console.app.pool.begin().await?;
    let is_news = people::disable(&mut db, id, console.app.now()).await?;
    let act = is_news.then_some(Act::PersonDisabled);
    noted(&mut db, &visit, &form.signed_in, id, act).await?;
    db.commit().await?;
    Ok(go_to("/console/people?done=disabled"))
}

/// Lets somebody sign in again, by what they did before.
pub(super) async fn enable(
    State(console): State<Console>,
    Id(id): Id,
    visit: Visit,
    form: Form<Nothing>,
) -> Shown {
    form.signed_in.must_be_operator()?;
    let mut db = console.app.pool.begin().await?;
    let is_news = people::enable(&mut *db, id).await?;
    let act = is_news.then_some(Act::PersonEnabled);
    noted(&mut db, &visit, &form.signed_in, id, act).await?;
    db.commit().await?;
    Ok(go_to("/console/people?done=enabled"))
}

/// Notes what was done to somebody. That nothing had to be done is well, if there is such a person.
async fn noted(
    db: &mut PgConnection,
    visit: &Visit,
    signed_in: &SignedIn,
    id: Uuid,
    act: Option<Act>,
) -> Result<(), Stop> {
    match act {
        Some(act) => given::note(db, visit, signed_in, id, act).await?,
        None => {
            let person = people::find(db, id).await?;
            person.ok_or_else(|| Problem::not_found("person"))?;
        }
    }
    Ok(())
}

/// Gives somebody a new link, in place of any that they had.
pub(super) async fn link(
    State(console): State<Console>,
    Id(id): Id,
    visit: Visit,
    form: Form<Nothing>,
) -> Shown {
    let signed_in = &form.signed_in;
    signed_in.must_be_operator()?;
    let mut transaction = console.app.pool.begin().await?;
    let person = people::find(&mut *transaction, id).await?;
    let person = person.ok_or_else(|| Problem::not_found("person"))?;
    if person.disabled_at.is_some() {
        let detail = "this person is disabled; enable them before you give them a link";
        return Err(Problem::conflict("PERSON_DISABLED", detail).into());
    }
    let whose = (id, person.email.as_str());
    let given = given::give(&console, &mut transaction, &visit, signed_in, whose).await?;
    transaction.commit().await?;
    given::show(&console, &visit, signed_in, &given)
}
