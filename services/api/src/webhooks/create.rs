//! `POST /v1/webhooks`

use crate::openapi::errors::{WebhookConflict, WithKey};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::audit::Act;
use utoipa::ToSchema;
use uuid::Uuid;

use super::secret::SigningSecret;
use super::store::endpoints::{self, Webhook};
use super::store::secrets;
use super::view::{SecretView, shown};
use super::{fields, no_seal_key, note};
use crate::app::App;
use crate::caller::{Allowed, Caller, WebhooksFeed};
use crate::commands::{Cause, CommandError};
use crate::http::body::Body;
use crate::http::problem::{FieldErrors, Problem};
use crate::http::request_id::RequestId;
use crate::idempotency::{Answer, Claim, IdempotencyKey, Once};
use crate::public_event::EventType;

/// The most webhooks of one account.
const MAX_PER_ACCOUNT: i64 = 20;

/// A webhook to set up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "url": "https://shop.example/hooks/tokens",
    "types": ["TokenRevoked", "TokenExpiring"],
}))]
pub(crate) struct CreateWebhook {
    /// Whose events are sent. Operators may leave it out to have those of all accounts; for others
    /// it is their own account.
    account_id: Option<Uuid>,
    /// Where to. `https` and a public address, unless the installation allows others.
    #[schema(max_length = 2048, pattern = "^https?://")]
    url: String,
    /// Which types of events; all if none is named.
    #[serde(default)]
    #[schema(value_type = Vec<EventType>)]
    types: Vec<String>,
    /// For people.
    #[serde(default)]
    #[schema(max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    description: String,
}

/// Sets up a webhook for the events from now on: 201 with the signing secret, this once; 409 if
/// there is no key to seal it with, the account is not active, or has too many.
#[utoipa::path(
    post,
    path = "/v1/webhooks",
    tag = "Webhooks",
    operation_id = "createWebhook",
    summary = "Set up a webhook",
    description = "Events from now on are sent to the URL in the form of Standard Webhooks. The answer \
        holds the signing secret, this once.",
    params(IdempotencyKey),
    request_body = CreateWebhook,
    responses(
        (
            status = 201,
            description = "Set up, with the signing secret",
            body = SecretView<'_>,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        WithKey<WebhooksFeed>,
        WebhookConflict,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<WebhooksFeed>,
    RequestId(request_id): RequestId,
    Once(key, Body(body)): Once<Body<CreateWebhook>>,
) -> Result<Response, Problem> {
    let work = |claim| create(&app, &allowed, request_id, body, claim);
    key.once(&app, &allowed.caller, work).await
}

async fn create(
    app: &App,
    allowed: &Allowed<WebhooksFeed>,
    request_id: String,
    body: CreateWebhook,
    claim: Claim,
) -> Result<Answer, Problem> {
    let mut errors = FieldErrors::default();
    let url = errors.take("/url", fields::url(&body.url, &app.policy.webhook_networks));
    let types = fields::types(body.types, &mut errors);
    errors.take("/description", fields::description(&body.description));
    errors.check()?;
    let url = url.ok_or_else(|| Problem::internal("a URL without a value passed its check"))?;
    let sealer = app.sealer.as_ref().ok_or_else(no_seal_key)?;
    let mut cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let account_id = account(app, allowed, body.account_id.map(AccountId), &mut cause).await?;

    let now = app.now();
    let mut webhook = Webhook {
        id: app.new_id(),
        account_id,
        url,
        types,
        description: body.description,
        disabled: None,
        version: 1,
        created_by: allowed.caller.token_id(),
        created_at: now,
        updated_at: now,
        position: 0,
        failing_since: None,
        failures: 0,
        retry_at: None,
    };
    let secret = SigningSecret::generate(&app.entropy);
    let secret_id = app.new_id();
    let sealed = secret.seal(sealer, webhook.id, secret_id);

    let mut transaction = app.pool.begin().await?;
    if let Some(account) = account_id {
        match endpoints::lock_account(&mut transaction, account).await? {
            None => return Err(no_account()),
            Some((state, _)) if state != "active" => {
                return Err(CommandError::AccountNotActive(account).into());
            }
            Some((_, count)) if count >= MAX_PER_ACCOUNT => {
                let detail = format!("an account has at most {MAX_PER_ACCOUNT} webhooks");
                return Err(Problem::conflict("TOO_MANY_WEBHOOKS", detail));
            }
            Some(_) => {}
        }
    }
    webhook.position = endpoints::insert(&mut *transaction, &webhook).await?;
    secrets::insert(&mut *transaction, webhook.id, secret_id, &sealed).await?;
    let details = ("version", webhook.version.into());
    note(
        &mut transaction,
        &cause,
        Act::WebhookCreated,
        &webhook,
        details,
    )
    .await?;
    let answer = shown(StatusCode::CREATED, webhook, &secret).map_err(Problem::internal)?;
    claim.keep_in(&mut transaction, &answer).await?;
    transaction.commit().await?;
    Ok(answer)
}

/// Whose events are sent: everybody's only where the caller acts across accounts and names none.
async fn account(
    app: &App,
    allowed: &Allowed<WebhooksFeed>,
    asked: Option<AccountId>,
    cause: &mut Cause,
) -> Result<Option<AccountId>, Problem> {
    if allowed.reach == Reach::All {
        return Ok(asked);
    }
    let own = match &allowed.caller {
        Caller::Account {
            account_id: None,
            identity,
            ..
        } if asked.is_none() => {
            let id = app.commands.account_of(cause, identity).await?;
            cause.actor = format!("account:{id}");
            Some(id)
        }
        Caller::Account { account_id, .. } => *account_id,
        Caller::Token { account_id, .. } => Some(*account_id),
        Caller::Operator { .. } => None,
    };
    match (asked, own) {
        (None, Some(own)) => Ok(Some(own)),
        (Some(asked), Some(own)) if asked == own => Ok(Some(own)),
        _ => Err(no_account()),
    }
}

fn no_account() -> Problem {
    Problem::bad_field("/account_id", "there is no such account")
}
