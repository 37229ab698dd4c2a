//! `tollkeeper restore redo`

use std::process::ExitCode;

use serde_json::json;
use tollkeeper_runtime::settings::{ApiUrl, ClientSettings, Source};

use super::findings::{Finding, What};
use super::tell::{self, Done};
use super::{Error, code, to_redo};
use crate::client::Failure;
use crate::client::api::Api;
use crate::proof::Output;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the API answers; instead of TOLLKEEPER_URL
    #[arg(long, value_name = "URL")]
    url: Option<ApiUrl>,
}

/// Does what can be done and says of each whether it was.
pub(super) async fn run(
    source: &Source,
    arguments: &Arguments,
    found: &[Finding],
    output: Output,
) -> Result<ExitCode, Error> {
    let settings = ClientSettings::read(source).map_err(Failure::from)?;
    let url = arguments.url.as_ref().unwrap_or(&settings.url);
    let api = Api::new(url, &settings.key)?;
    let mut done = Vec::new();
    for finding in to_redo(found) {
        let failure = redo(&api, finding).await.err();
        done.push(Done {
            finding,
            failure: failure.map(|failure| failure.to_string()),
        });
    }
    tell::done(&done, output);
    Ok(code(done.iter().any(|it| it.failure.is_some())))
}

async fn redo(api: &Api, finding: &Finding) -> Result<(), Failure> {
    let event = &finding.event;
    let path = format!("{}s/{}", event.stream_type.as_str(), event.stream_id);
    match finding.what {
        What::Revoke => {
            let reason = event.payload["reason"].as_str().unwrap_or("unspecified");
            api.delete(&path, &[("reason", reason.to_owned())]).await?;
        }
        What::Suspend => {
            api.post(&format!("{path}/suspend"), &json!({})).await?;
        }
        What::Delete => {
            api.delete(&path, &[]).await?;
        }
        What::Look | What::Gone => {}
    }
    Ok(())
}
