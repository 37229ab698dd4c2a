//! `POST /console/tokens/{id}/quotas/{name}/refill`

use axum::extract::State;
use axum::http::Method;
use serde::Deserialize;

use super::change::Changed;
use super::{detail, is_shown_above, token};
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::Tone;
use crate::console::query::segment;
use crate::console::stop::{Shown, Stop, go_to};
use crate::http::path::IdAndName;

/// The token as it was shown.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    version: u64,
}

/// Lets a quota be full again, if the token is still as it was shown.
pub(super) async fn refill(
    State(console): State<Console>,
    IdAndName(id, name): IdAndName,
    Form { signed_in, fields }: Form<Fields>,
) -> Shown {
    let path = format!("{}/quotas/{}/refill", token::path(id), segment(&name));
    let change = signed_in.api.change(Method::POST, &path);
    let change = change.of_version(fields.version);
    match change.plain::<Changed>().await {
        Ok(changed) => Ok(go_to(&changed.receipt(id))),
        Err(Stop::Refused(refused)) if is_shown_above(&refused) => {
            let notice = Some((Tone::Bad, refused.detail.clone()));
            detail::now(&console, &signed_in, id, refused.status(), notice).await
        }
        Err(stop) => Err(stop),
    }
}
