//! `GET /v1/whoami`

use crate::openapi::errors::Known;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use tollkeeper_read_model::{Reach, accounts, tokens};
use utoipa::ToSchema;

use crate::accounts::AccountView;
use crate::app::App;
use crate::caller::Caller;
use crate::http::problem::Problem;
use crate::tokens::TokenView;

/// Who calls, as far as the credential says.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhoAmI {
    kind: Kind,
    /// The name of the operator's key.
    #[schema(nullable = false, examples("alice"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<String>,
    /// Who the account is to the JWT's issuer.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<IdentityView>,
    /// The token that was used.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenView>,
    /// The caller's account. Operators have none, and the holder of a JWT has none before their
    /// first write.
    #[schema(required)]
    account: Option<AccountView>,
}

/// Who somebody is to the issuer of a JWT.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Identity)]
struct IdentityView {
    /// The `iss` claim.
    issuer: String,
    /// The `sub` claim.
    subject: String,
}

/// By what kind of credential the caller is known.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = CallerKind)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Operator,
    Token,
    Account,
}

/// Tells callers who they are: 200, or 401. No scope is needed.
#[utoipa::path(
    get,
    path = "/v1/whoami",
    tag = "Self-service",
    operation_id = "whoAmI",
    summary = "Tell who calls",
    description = "For any credential that works. No scope is needed.",
    responses((status = 200, description = "Who calls", body = WhoAmI), Known),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    caller: Caller,
) -> Result<impl IntoResponse, Problem> {
    let mut answer = WhoAmI {
        kind: Kind::Operator,
        operator: None,
        identity: None,
        token: None,
        account: None,
    };
    let account_id = caller.account_id();
    match caller {
        Caller::Operator { name } => answer.operator = Some(name),
        Caller::Token { id, account_id, .. } => {
            answer.kind = Kind::Token;
            let found = tokens::find(&app.pool, Reach::Account(account_id), id, app.now()).await?;
            answer.token = found.map(TokenView::from);
        }
        Caller::Account { identity, .. } => {
            answer.kind = Kind::Account;
            answer.identity = Some(IdentityView {
                issuer: identity.issuer,
                subject: identity.subject,
            });
        }
    }
    if let Some(id) = account_id {
        let found = accounts::find(&app.pool, Reach::Account(id), id).await?;
        answer.account = found.map(AccountView::from);
    }
    Ok(Json(answer))
}
