//! Webhooks: the operations, and what arrives at an endpoint.

mod constraints;
mod cursors;
mod database;
mod deliveries;
mod faults;
mod keys;
mod operations;
mod receiver;

/// A key to seal with, and receivers on this machine allowed.
pub(crate) const SETTINGS: [(&str, &str); 2] = [
    SEAL_KEY,
    ("TOLLKEEPER_WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8"),
];

pub(crate) const SEAL_KEY: (&str, &str) = (
    "TOLLKEEPER_SEAL_KEYS",
    "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
);
