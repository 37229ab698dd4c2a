//! `audit_entries`: what was done and left no event.

use serde_json::{Map, Value};
use sqlx::PgExecutor;
use uuid::Uuid;

/// What can be done without leaving an event. Named like events: by what has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is described by its name")]
pub enum Act {
    WebhookCreated,
    WebhookChanged,
    WebhookSecretRotated,
    WebhookReplayed,
    WebhookDeleted,
    NodeForgotten,
    UsageExported,
    ExposureReported,
    AuditExported,
    DeadLettersReplayed,
    ProjectionsRebuilt,
    RollupsRebuilt,
    PersonAdded,
    PersonDisabled,
    PersonEnabled,
    PersonLinkIssued,
    PersonLinked,
    PersonPasswordSet,
    PersonSignedIn,
    PersonSignedOut,
}

impl Act {
    /// Every one of them.
    pub const ALL: [Self; 20] = [
        Self::WebhookCreated,
        Self::WebhookChanged,
        Self::WebhookSecretRotated,
        Self::WebhookReplayed,
        Self::WebhookDeleted,
        Self::NodeForgotten,
        Self::UsageExported,
        Self::ExposureReported,
        Self::AuditExported,
        Self::DeadLettersReplayed,
        Self::ProjectionsRebuilt,
        Self::RollupsRebuilt,
        Self::PersonAdded,
        Self::PersonDisabled,
        Self::PersonEnabled,
        Self::PersonLinkIssued,
        Self::PersonLinked,
        Self::PersonPasswordSet,
        Self::PersonSignedIn,
        Self::PersonSignedOut,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebhookCreated => "WebhookCreated",
            Self::WebhookChanged => "WebhookChanged",
            Self::WebhookSecretRotated => "WebhookSecretRotated",
            Self::WebhookReplayed => "WebhookReplayed",
            Self::WebhookDeleted => "WebhookDeleted",
            Self::NodeForgotten => "NodeForgotten",
            Self::UsageExported => "UsageExported",
            Self::ExposureReported => "ExposureReported",
            Self::AuditExported => "AuditExported",
            Self::DeadLettersReplayed => "DeadLettersReplayed",
            Self::ProjectionsRebuilt => "ProjectionsRebuilt",
            Self::RollupsRebuilt => "RollupsRebuilt",
            Self::PersonAdded => "PersonAdded",
            Self::PersonDisabled => "PersonDisabled",
            Self::PersonEnabled => "PersonEnabled",
            Self::PersonLinkIssued => "PersonLinkIssued",
            Self::PersonLinked => "PersonLinked",
            Self::PersonPasswordSet => "PersonPasswordSet",
            Self::PersonSignedIn => "PersonSignedIn",
            Self::PersonSignedOut => "PersonSignedOut",
        }
    }

    /// The kind of thing that it is done to.
    #[must_use]
    pub const fn subject(self) -> &'static str {
        match self {
            Self::WebhookCreated
            | Self::WebhookChanged
            | Self::WebhookSecretRotated
            | Self::WebhookReplayed
            | Self::WebhookDeleted => "webhook",
            Self::NodeForgotten => "node",
            Self::ExposureReported => "token",
            Self::AuditExported => "audit",
            Self::UsageExported | Self::DeadLettersReplayed | Self::RollupsRebuilt => "usage",
            Self::ProjectionsRebuilt => "projections",
            Self::PersonAdded
            | Self::PersonDisabled
            | Self::PersonEnabled
            | Self::PersonLinkIssued
            | Self::PersonLinked
            | Self::PersonPasswordSet
            | Self::PersonSignedIn
            | Self::PersonSignedOut => "person",
        }
    }
}

/// Something that was done, or is about to be.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Who does it, as the log names an actor; none for whoever is logged into the database.
    pub actor: Option<&'a str>,
    /// In which request, where there is one.
    pub request_id: Option<&'a str>,
    /// What is done.
    pub act: Act,
    /// The account that it concerns, if it is one alone.
    pub account_id: Option<Uuid>,
    /// The thing that it is done to, if it is one. Of usage, the token.
    pub subject_id: Option<Uuid>,
    /// More of it: no secret, no address, nothing that is exported.
    pub details: Map<String, Value>,
}

impl<'a> Entry<'a> {
    /// What whoever is logged into the database does.
    #[must_use]
    pub fn by_login(act: Act) -> Self {
        Self {
            actor: None,
            request_id: None,
            act,
            account_id: None,
            subject_id: None,
            details: Map::new(),
        }
    }

    /// What this actor does in a request.
    #[must_use]
    pub fn by(actor: &'a str, request_id: &'a str, act: Act) -> Self {
        Self {
            actor: Some(actor),
            request_id: Some(request_id),
            ..Self::by_login(act)
        }
    }

    /// Says more of it.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// Adds an entry: in the transaction of what it tells of, or before that begins.
///
/// # Errors
/// If the database does not answer.
pub async fn note(db: impl PgExecutor<'_>, entry: &Entry<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into audit_entries (
            actor, action, account_id, subject_type, subject_id, request_id, details
        )
        values (coalesce($1, 'database:' || session_user), $2, $3, $4, $5, $6, $7)",
        entry.actor,
        entry.act.name(),
        entry.account_id,
        entry.act.subject(),
        entry.subject_id,
        entry.request_id,
        Value::Object(entry.details.clone()),
    )
    .execute(db)
    .await?;
    Ok(())
}
