//! A first token, so that the first request can be made at once.

use std::net::SocketAddr;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tollkeeper_runtime::settings::Secret;

use super::error::Error;
use super::folder::Folder;

const FILE: &str = "first-token";
const ACCOUNT: &str = "demo";

/// The first token, issued unless an earlier run did.
pub(super) async fn ensure(
    folder: &Folder,
    api: SocketAddr,
    operator_key: &Secret,
) -> Result<Secret, Error> {
    if let Some(token) = folder.read(FILE)? {
        return Ok(Secret::new(token.trim()));
    }
    let api = Api {
        client: Client::new(),
        base: format!("http://{api}/v1"),
        operator_key,
    };
    let account = api.account().await?;
    let token = api.token(&account).await?;
    folder.write_private(FILE, &format!("{token}\n"))?;
    Ok(Secret::new(token))
}

struct Api<'a> {
    client: Client,
    base: String,
    operator_key: &'a Secret,
}

impl Api<'_> {
    /// The demo account's id. It may be there already: an earlier run may have ended between the
    /// account and its token.
    async fn account(&self) -> Result<String, Error> {
        let url = format!("{}/accounts", self.base);
        let body = json!({ "external_id": ACCOUNT, "name": "Demo" });
        match self.ask(self.client.post(&url).json(&body)).await {
            Ok(account) => text(&account, "/id"),
            Err(Error::Answer { status, .. }) if status == StatusCode::CONFLICT.as_u16() => {
                let url = format!("{url}?external_id={ACCOUNT}");
                let page = self.ask(self.client.get(url)).await?;
                text(&page, "/items/0/id")
            }
            Err(error) => Err(error),
        }
    }

    async fn token(&self, account: &str) -> Result<String, Error> {
        let url = format!("{}/tokens", self.base);
        let body = json!({ "account_id": account, "name": "first token", "scopes": ["read"] });
        let issued = self.ask(self.client.post(url).json(&body)).await?;
        text(&issued, "/token")
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Value, Error> {
        let key = self.operator_key.expose();
        let answer = request.header("x-api-key", key).send().await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.json().await?);
        }
        Err(Error::Answer {
            status: status.as_u16(),
            body: answer.text().await?,
        })
    }
}

fn text(answer: &Value, pointer: &str) -> Result<String, Error> {
    match answer.pointer(pointer).and_then(Value::as_str) {
        Some(text) => Ok(text.to_owned()),
        None => Err(Error::Answer {
            status: StatusCode::OK.as_u16(),
            body: format!("an answer without {pointer}"),
        }),
    }
}
