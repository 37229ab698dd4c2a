//! What a person needs to go on.

use tollkeeper_read_model::people::LinkSecret;
use tollkeeper_runtime::settings::Secret;

use super::Addresses;
use super::environment;
use super::first_operator::ADDRESS;
use super::folder::Folder;
use super::secrets::Secrets;
use crate::out::say;

/// Shows where everything is. The secrets are shown on purpose: they belong to the person at the
/// terminal, who would otherwise look for them in the folder.
pub(super) fn show(
    folder: &Folder,
    addresses: Addresses,
    secrets: &Secrets,
    token: &Secret,
    link: Option<&LinkSecret>,
) {
    let (operator_key, token) = (secrets.operator_key.expose(), token.expose());
    let Addresses {
        public,
        api_internal,
        ingestor_internal,
    } = addresses;
    let kept = folder.join("");
    let console = console(addresses, link);
    say(&format!(
        "
Tollkeeper is up.

  API            http://{public}
  console        http://{public}/console
  health         http://{api_internal}/readyz  http://{ingestor_internal}/readyz
  metrics        http://{api_internal}/metrics  http://{ingestor_internal}/metrics
  operator key   {operator_key}
  first token    {token}
  data and logs  {kept}

{console}Ask whether the token may pass (it answers 200):

  curl -i -H 'X-API-Key: {token}' http://{public}/v1/forward-auth

List the accounts, as the operator:

  curl -H 'X-API-Key: {operator_key}' http://{public}/v1/accounts

Look after it, in a shell that has read where everything is:

  . {environment}
  tollkeeper --help

Ctrl-C stops everything; the next start finds the data again.",
        kept = kept.display(),
        environment = folder.join(environment::FILE).display(),
    ));
}

/// How the first operator gets into the console, until they have.
fn console(addresses: Addresses, link: Option<&LinkSecret>) -> String {
    let Some(link) = link else {
        return String::new();
    };
    let (public, path) = (addresses.public, link.expose_path());
    format!(
        "Open the console: set the password of {ADDRESS} with this link, once, within 24 hours:

  http://{public}{path}

"
    )
}
