//! Whoever asks, as soon as that is known: so that a refusal is a page like the others, with the way to the
//! rest of the console.

use std::sync::{Arc, OnceLock};

use axum::http::request::Parts;

use super::session::Person;

/// Takes in who asks. An extension of each request; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Asker(Arc<OnceLock<Known>>);

/// Somebody who is signed in.
#[derive(Debug)]
pub(super) struct Known {
    /// Who.
    pub(super) person: Person,
    /// What every form of theirs carries.
    pub(super) form_token: String,
}

impl Asker {
    /// Takes in who sent the request with these parts.
    pub(super) fn is(parts: &Parts, person: &Person, form_token: &str) {
        if let Some(Self(asker)) = parts.extensions.get() {
            asker.get_or_init(|| Known {
                person: person.clone(),
                form_token: form_token.to_owned(),
            });
        }
    }

    /// Who it is, where that is known.
    pub(super) fn known(&self) -> Option<&Known> {
        self.0.get()
    }
}
