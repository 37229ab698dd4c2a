//! The provider: where it is, what it offers, and the exchange of a code for an ID token. Bounded in size and
//! time; redirects and the environment's proxies are not followed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tollkeeper_ambient::SharedClock;
use tollkeeper_runtime::settings::{OidcSettings, fetched_url};
use url::Url;

use super::claims::{BadIdToken, Claims, Expected, check};
use super::flow::Flow;
use crate::caller::jwks::{BadSet, KeySet};

/// No answer that is asked for here is as large.
const MAX_BYTES: usize = 256 * 1024;

/// The longest that one question may take: three are asked, within the time of a request.
const LONGEST: Duration = Duration::from_secs(3);

/// How long what the provider says of itself is believed without asking again.
const KNOWN_FOR: Duration = Duration::from_secs(10 * 60);

/// Why a provider cannot be used. Fit for the log: no code, no token and no secret is in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProviderError {
    /// It does not answer.
    #[error("the {0} cannot be reached: {1}")]
    Fetch(&'static str, reqwest::Error),
    /// It answers something else than 200.
    #[error("the {0} answers {1}{2}")]
    Status(&'static str, StatusCode, Answer),
    /// More than anybody says.
    #[error("the {0} has more than {MAX_BYTES} bytes")]
    TooLarge(&'static str),
    /// Not what it should be.
    #[error("the {0} cannot be read: {1}")]
    Form(&'static str, serde_json::Error),
    /// It describes another one.
    #[error("the description is of another issuer")]
    OtherIssuer,
    /// One of its addresses is none that may be asked.
    #[error("the description's {0} is no `https://` URL")]
    Address(&'static str),
    /// Its keys cannot be used.
    #[error("the keys: {0}")]
    Keys(#[from] BadSet),
    /// What it says of somebody is not believed.
    #[error("the ID token: {0}")]
    IdToken(#[from] BadIdToken),
}

/// The error that an endpoint names (RFC 6749, section 5.2), if it is one of those that there are.
#[derive(Debug)]
pub(super) struct Answer(Option<&'static str>);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(error) => write!(f, " ({error})"),
            None => Ok(()),
        }
    }
}

/// What the provider says of itself (OpenID Connect Discovery 1.0, section 3).
#[derive(Deserialize)]
struct Description {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// The same, once it is found to be good.
#[derive(Debug)]
pub(super) struct Metadata {
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    token_endpoint_auth_methods: Option<Vec<String>>,
}

impl Metadata {
    /// Takes it from this issuer.
    fn of(issuer: &str, told: Description) -> Result<Self, ProviderError> {
        if told.issuer != issuer {
            return Err(ProviderError::OtherIssuer);
        }
        let url = |name, text: &str| fetched_url(text).map_err(|_| ProviderError::Address(name));
        Ok(Self {
            authorization_endpoint: url("authorization_endpoint", &told.authorization_endpoint)?,
            token_endpoint: url("token_endpoint", &told.token_endpoint)?,
            jwks_uri: url("jwks_uri", &told.jwks_uri)?,
            token_endpoint_auth_methods: told.token_endpoint_auth_methods_supported,
        })
    }

    /// Whether the secret is to stand in the body: in the header is what is done if nothing is said.
    fn wants_secret_in_body(&self) -> bool {
        let methods = self.token_endpoint_auth_methods.as_deref();
        methods.is_some_and(|all| {
            let offers = |name: &str| all.iter().any(|it| it == name);
            offers("client_secret_post") && !offers("client_secret_basic")
        })
    }
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

/// The provider by which people sign in.
pub struct Provider {
    settings: OidcSettings,
    redirect_uri: String,
    client: Client,
    /// What it says of itself, and when it did, since boot.
    known: Mutex<Option<(Duration, Arc<Metadata>)>>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").finish_non_exhaustive()
    }
}

impl Provider {
    /// The one that the settings name. It is not asked yet: a provider that is away must not keep the API
    /// from starting.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(settings: OidcSettings) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(LONGEST);
        let base = settings.public_url.as_str();
        Ok(Self {
            redirect_uri: format!("{base}/console/sign-in/oidc/callback"),
            client: client.build()?,
            known: Mutex::default(),
            settings,
        })
    }

    /// What people call it.
    pub(in crate::console) fn name(&self) -> &str {
        &self.settings.name
    }

    /// Which one it is.
    pub(super) fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// If it does not answer, or as another one.
    pub(super) async fn metadata(
        &self,
        clock: &SharedClock,
    ) -> Result<Arc<Metadata>, ProviderError> {
        let now = clock.boot_time();
        if let Some((at, known)) = &*self.known.lock()
            && now.saturating_sub(*at) < KNOWN_FOR
        {
            return Ok(known.clone());
        }
        let issuer = self.issuer().trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let told: Description = read("description", self.client.get(url)).await?;
        let metadata = Metadata::of(self.issuer(), told)?;
        let metadata = Arc::new(metadata);
        *self.known.lock() = Some((now, metadata.clone()));
        Ok(metadata)
    }

    /// Where somebody is sent to sign in.
    pub(super) fn authorization(&self, metadata: &Metadata, flow: &Flow) -> String {
        let mut url = metadata.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", "openid email")
            .append_pair("state", &flow.state())
            .append_pair("nonce", &flow.nonce())
            .append_pair("code_challenge", &flow.challenge())
            .append_pair("code_challenge_method", "S256");
        url.into()
    }

    /// Exchanges a code for what the provider says of whoever signed in there.
    ///
    /// # Errors
    /// If it does not answer, or what it says cannot be believed.
    pub(super) async fn redeem(
        &self,
        clock: &SharedClock,
        code: &str,
        flow: &Flow,
    ) -> Result<Claims, ProviderError> {
        let metadata = self.metadata(clock).await?;
        let (id, secret) = (
            &self.settings.client_id,
            self.settings.client_secret.expose(),
        );
        let verifier = flow.verifier();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &verifier),
        ];
        let mut request = self.client.post(metadata.token_endpoint.clone());
        if metadata.wants_secret_in_body() {
            form.extend([("client_id", id.as_str()), ("client_secret", secret)]);
        } else {
            // RFC 6749, section 2.3.1: both are encoded as in a form before.
            request = request.basic_auth(encoded(id), Some(encoded(secret)));
        }
        let tokens: Tokens = read("token endpoint", request.form(&form)).await?;
        // Read anew for each sign-in, so that a key that was taken away is taken away.
        let keys = self.client.get(metadata.jwks_uri.clone());
        let keys = KeySet::read(&fetch("key set", keys).await?)?;
        let expected = Expected {
            issuer: self.issuer(),
            client_id: id,
            nonce: &flow.nonce(),
            now: clock.now().timestamp(),
        };
        Ok(check(&tokens.id_token, &keys, expected)?)
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn read<T: DeserializeOwned>(
    what: &'static str,
    request: RequestBuilder,
) -> Result<T, ProviderError> {
    let body = fetch(what, request).await?;
    // Errors of the decoder name places and kinds, no values but unknown variants, of which there are none.
    serde_json::from_slice(&body).map_err(|error| ProviderError::Form(what, error))
}

async fn fetch(what: &'static str, request: RequestBuilder) -> Result<Vec<u8>, ProviderError> {
    // Errors repeat the URL otherwise, which may hold what is nobody's business.
    let plain = |error: reqwest::Error| ProviderError::Fetch(what, error.without_url());
    let mut response = request.send().await.map_err(plain)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(plain)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(ProviderError::TooLarge(what));
        }
        body.extend_from_slice(&chunk);
    }
    match response.status() {
        StatusCode::OK => Ok(body),
        status => Err(ProviderError::Status(what, status, answer(&body))),
    }
}

fn answer(body: &[u8]) -> Answer {
    #[derive(Deserialize)]
    struct Named {
        error: String,
    }
    const KNOWN: [&str; 6] = [
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    ];
    let named = serde_json::from_slice::<Named>(body).ok();
    Answer(named.and_then(|named| KNOWN.into_iter().find(|it| *it == named.error)))
}
