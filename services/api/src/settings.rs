//! The settings of this process, read once at its start.

use std::sync::Arc;
use std::thread;

use chrono::TimeDelta;
use jsonwebtoken::DecodingKey;
use tollkeeper_ambient::SharedClock;
use tollkeeper_authn::{EngineConfig, StalePolicy};
use tollkeeper_domain::legacy::{BadShape, Shapes};
use tollkeeper_domain::secret::{BadBrand, Brand};
use tollkeeper_runtime::health::Need;
use tollkeeper_runtime::settings::{
    self, AuditSettings, Binary, BrokerSettings, DatabaseSettings, InternalListenSettings, JwtKeys,
    JwtSettings, LeakSettings, ListenSettings, LogSettings, OidcSettings, OperatorSettings,
    SealSettings, SettingsError, Source, SpoolFull, TokenSettings, TraceSettings, UsageSettings,
    VerificationSettings, WebhookSettings,
};
use tollkeeper_usage::{FullPolicy, Scrubber, SpoolSettings};

use crate::app::Policy;
use crate::{CannotLoad, JwtPolicy, Keys, Provider, SignedBy};

/// Why the shapes of imported tokens are refused.
#[derive(Debug, thiserror::Error)]
pub enum BadLegacy {
    /// It is no list of shapes.
    #[error(transparent)]
    Shape(#[from] BadShape),
    /// What begins like our own tokens is checked as one of them.
    #[error("`{0}` begins like the tokens that are issued here, and would never be looked up")]
    Shadowed(String),
}

/// All settings of the API.
#[derive(Debug)]
pub struct ApiSettings {
    /// The primary.
    pub database: DatabaseSettings,
    /// What answers questions about usage in its place, if anything does.
    pub replica: Option<DatabaseSettings>,
    /// NATS.
    pub broker: BrokerSettings,
    /// The public listener, and that for gRPC.
    pub listen: ListenSettings,
    /// The internal listener.
    pub internal: InternalListenSettings,
    /// What is logged, and how.
    pub log: LogSettings,
    /// Where traces go, and which.
    pub traces: TraceSettings,
    tokens: TokenSettings,
    leaks: Option<LeakSettings>,
    operators: OperatorSettings,
    jwt: Option<JwtSettings>,
    oidc: Option<OidcSettings>,
    /// What seals secrets at rest.
    pub seal: SealSettings,
    verification: VerificationSettings,
    spool: settings::SpoolSettings,
    usage: UsageSettings,
    audit: AuditSettings,
    /// Where webhooks may be sent to.
    pub webhooks: WebhookSettings,
}

impl ApiSettings {
    /// Reads them from the process's surroundings.
    ///
    /// # Errors
    /// [`SettingsError`] that names the setting.
    pub fn from_process() -> Result<Self, SettingsError> {
        Self::read(&Source::from_process(Binary::Api)?)
    }

    /// Reads them from `source`.
    ///
    /// # Errors
    /// [`SettingsError`] that names the setting.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        Ok(Self {
            database: DatabaseSettings::read(source)?,
            replica: DatabaseSettings::replica(source)?,
            broker: BrokerSettings::read(source)?,
            listen: ListenSettings::read(source)?,
            internal: InternalListenSettings::read(source)?,
            log: LogSettings::read(source)?,
            traces: TraceSettings::read(source)?,
            tokens: TokenSettings::read(source)?,
            leaks: LeakSettings::read(source)?,
            operators: OperatorSettings::read(source)?,
            jwt: JwtSettings::read(source)?,
            oidc: OidcSettings::read(source)?,
            seal: SealSettings::read(source)?,
            verification: VerificationSettings::read(source)?,
            spool: settings::SpoolSettings::read(source)?,
            usage: UsageSettings::read(source)?,
            audit: AuditSettings::read(source)?,
            webhooks: WebhookSettings::read(source)?,
        })
    }

    /// The brand of the tokens.
    ///
    /// # Errors
    /// If the setting is none.
    pub fn brand(&self) -> Result<Brand, BadBrand> {
        self.tokens.brand.parse()
    }

    /// What imported tokens look like.
    ///
    /// # Errors
    /// If the setting is no list of shapes, or one of them could never admit a token.
    pub fn legacy(&self, brand: &Brand) -> Result<Shapes, BadLegacy> {
        let Some(text) = &self.tokens.legacy_shapes else {
            return Ok(Shapes::default());
        };
        let shapes: Shapes = text.parse()?;
        match shapes.shadowed_by(brand) {
            Some(shape) => Err(BadLegacy::Shadowed(shape.to_string())),
            None => Ok(shapes),
        }
    }

    /// How the engine is set up.
    #[must_use]
    pub fn engine(&self, brand: Brand, legacy: Shapes) -> EngineConfig {
        let stale_policy = match self.verification.stale_policy {
            settings::StalePolicy::Deny => StalePolicy::Deny,
            settings::StalePolicy::Allow => StalePolicy::Allow,
        };
        EngineConfig {
            cache_bytes: self.verification.cache_bytes.0,
            stale_policy,
            stale_limit: self.verification.stale_limit,
            legacy,
            ..EngineConfig::new(brand)
        }
    }

    /// How the spool is set up: a lane for each worker thread.
    #[must_use]
    pub fn spool(&self, scrubber: Scrubber) -> SpoolSettings {
        let full_policy = match self.spool.full {
            SpoolFull::Drop => FullPolicy::Drop,
            SpoolFull::Refuse => FullPolicy::Refuse,
        };
        SpoolSettings {
            max_bytes: self.spool.bytes.0,
            lanes: thread::available_parallelism().map_or(4, usize::from),
            full_policy,
            scrubber,
            ..SpoolSettings::new(&self.spool.dir)
        }
    }

    /// Whether the API can serve with a full spool: not if that refuses every request.
    #[must_use]
    pub fn spool_need(&self) -> Need {
        match self.spool.full {
            SpoolFull::Drop => Need::Optional,
            SpoolFull::Refuse => Need::Required,
        }
    }

    /// The most live tokens of an account without a limit of its own.
    #[must_use]
    pub const fn token_limit(&self) -> Option<u32> {
        self.tokens.account_token_limit
    }

    /// How many tokens are read before the process is ready.
    #[must_use]
    pub const fn preload_tokens(&self) -> usize {
        self.verification.preload_tokens
    }

    /// What an account's JWT must prove; none if JWTs are off.
    ///
    /// # Errors
    /// If its keys are in a file that cannot be read.
    pub fn jwt(&self, clock: &SharedClock) -> Result<Option<JwtPolicy>, CannotLoad> {
        let Some(jwt) = self.jwt.clone() else {
            return Ok(None);
        };
        let signed = match jwt.keys {
            JwtKeys::Hs256(secret) => {
                SignedBy::Secret(DecodingKey::from_secret(secret.expose().as_bytes()))
            }
            JwtKeys::Jwks(source) => {
                SignedBy::PublicKeys(Arc::new(Keys::new(source, clock.clone())?))
            }
        };
        Ok(Some(JwtPolicy {
            issuer: jwt.issuer,
            audience: jwt.audience,
            signed,
        }))
    }

    /// The provider that people may sign in to the console with.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn oidc(&self) -> Result<Option<Arc<Provider>>, reqwest::Error> {
        let provider = self.oidc.clone().map(Provider::new);
        Ok(provider.transpose()?.map(Arc::new))
    }

    /// Whose reports of leaked tokens are believed.
    #[must_use]
    pub const fn leaks(&self) -> Option<&LeakSettings> {
        self.leaks.as_ref()
    }

    /// What the handlers need of the settings.
    #[must_use]
    pub fn policy(
        self,
        brand: Brand,
        scrubber: Scrubber,
        jwt: Option<JwtPolicy>,
        oidc: Option<Arc<Provider>>,
    ) -> Policy {
        let days = self.tokens.max_lifetime_days;
        Policy {
            brand,
            scrubber,
            longest_lifetime: days.map(|days| TimeDelta::days(days.into())),
            scheme: match self.listen.tls {
                Some(_) => "https",
                None => "http",
            },
            operators: self.operators.keys,
            jwt,
            oidc,
            trusted_proxies: self.operators.trusted_proxies,
            usage_ip: self.usage.ip,
            usage_retention: TimeDelta::days(self.usage.retention_days.into()),
            audit_retention: TimeDelta::days(self.audit.retention_days.into()),
            leaks: self.leaks,
            webhook_networks: self.webhooks.allowed_networks,
        }
    }
}
