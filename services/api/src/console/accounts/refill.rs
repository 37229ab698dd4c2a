//! `POST /console/accounts/{id}/quotas/{name}/refill`

use axum::extract::State;
use axum::http::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::account::page_of;
use crate::console::Console;
use crate::console::form::Form;
use crate::console::query::segment;
use crate::console::stop::{Shown, go_to};
use crate::http::path::IdAndName;

/// The account as it was shown.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    version: u64,
}

/// Lets a quota be full again, if the account is still as it was shown.
pub(super) async fn carry_out(
    State(_console): State<Console>,
    IdAndName(id, name): IdAndName,
    Form { signed_in, fields }: Form<Fields>,
) -> Shown {
    signed_in.must_be_operator()?;
    let path = format!("/v1/accounts/{id}/quotas/{}/refill", segment(&name));
    let change = signed_in.api.change(Method::POST, &path);
    change
        .of_version(fields.version)
        .plain::<IgnoredAny>()
        .await?;
    Ok(go_to(&format!("{}?done=refilled", page_of(id))))
}
