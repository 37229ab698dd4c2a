//! The registry: every setting there is.

use super::names::Setting;
use super::{
    audit, broker, client, console, database, jwt, leaks, listen, log, operators, seal, spool,
    tokens, traces, usage, verification, webhooks,
};

/// All settings, in the order of the reference.
pub const ALL: &[&Setting] = &[
    &database::DATABASE_URL,
    &database::REPLICA_URL,
    &broker::NATS_URL,
    &broker::NATS_CREDENTIALS,
    &broker::NATS_CA,
    &broker::NATS_REPLICAS,
    &listen::LISTEN,
    &listen::GRPC_LISTEN,
    &listen::INTERNAL_LISTEN,
    &listen::MAX_CONNECTIONS,
    &listen::TLS_CERT,
    &listen::TLS_KEY,
    &operators::OPERATOR_KEY,
    &operators::TRUSTED_PROXIES,
    &jwt::JWT_ISSUER,
    &jwt::JWT_AUDIENCE,
    &jwt::JWT_HS256_SECRET,
    &jwt::JWT_JWKS,
    &console::PUBLIC_URL,
    &console::OIDC_ISSUER,
    &console::OIDC_CLIENT_ID,
    &console::OIDC_CLIENT_SECRET,
    &console::OIDC_NAME,
    &seal::SEAL_KEYS,
    &tokens::TOKEN_BRAND,
    &tokens::MAX_TOKEN_LIFETIME_DAYS,
    &tokens::ACCOUNT_TOKEN_LIMIT,
    &tokens::LEGACY_TOKEN_SHAPES,
    &leaks::LEAK_KEYS,
    &leaks::LEAK_POLICY,
    &verification::CACHE_BYTES,
    &verification::STALE_POLICY,
    &verification::STALE_LIMIT_SECONDS,
    &verification::PRELOAD_TOKENS,
    &spool::SPOOL_DIR,
    &spool::SPOOL_BYTES,
    &spool::SPOOL_FULL,
    &usage::USAGE_RETENTION_DAYS,
    &usage::ROLLUP_RETENTION_DAYS,
    &usage::USAGE_IP,
    &audit::AUDIT_RETENTION_DAYS,
    &webhooks::WEBHOOK_ALLOWED_NETWORKS,
    &log::LOG,
    &log::LOG_FORMAT,
    &traces::OTLP_ENDPOINT,
    &traces::TRACE_RATIO,
    &client::URL,
    &client::API_KEY,
];

/// Whether a variable names a setting, or the file of a secret.
pub(super) fn knows(variable: &str) -> bool {
    ALL.iter().any(|setting| {
        variable == setting.variable() || (setting.secret && variable == setting.file_variable())
    })
}

/// The known variable that a misspelt one most likely meant.
pub(super) fn nearest(variable: &str) -> Option<String> {
    ALL.iter()
        .map(|setting| setting.variable())
        .map(|known| (distance(variable, &known), known))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_what_was_meant() {
        assert_eq!(
            nearest("TOLLKEEPER_DATABSE_URL").as_deref(),
            Some("TOLLKEEPER_DATABASE_URL")
        );
        assert_eq!(nearest("TOLLKEEPER_FAVOURITE_COLOUR"), None);
    }

    #[test]
    fn only_a_secret_may_come_from_a_file() {
        assert!(knows("TOLLKEEPER_OPERATOR_KEY_FILE"));
        assert!(!knows("TOLLKEEPER_LISTEN_FILE"));
    }
}
