//! What is wrong with the fields of a body.

use std::fmt::Display;

use tollkeeper_check::FieldError;
use tollkeeper_usage::Scrubber;

use super::Problem;

/// The same without anything shaped like a token.
pub(super) fn scrubbed(error: &FieldError, scrubber: &Scrubber) -> FieldError {
    FieldError {
        pointer: scrubber.scrub(&error.pointer).into_owned(),
        detail: scrubber.scrub(&error.detail).into_owned(),
    }
}

/// Collects what is wrong with the fields of a body, so that the client learns all of it at once.
#[derive(Debug, Default)]
pub(crate) struct FieldErrors(pub(super) Vec<FieldError>);

impl FieldErrors {
    /// Takes the value, or notes what is wrong with the field at `pointer`.
    pub(crate) fn take<T, E: Display>(
        &mut self,
        pointer: impl Into<String>,
        value: Result<T, E>,
    ) -> Option<T> {
        value.map_err(|error| self.add(pointer, error)).ok()
    }

    /// Notes what is wrong with the field at `pointer`.
    pub(crate) fn add(&mut self, pointer: impl Into<String>, detail: impl Display) {
        self.0.push(FieldError {
            pointer: pointer.into(),
            detail: detail.to_string(),
        });
    }

    /// Notes what is wrong with a part of the body, whose pointers begin at `place`.
    pub(crate) fn add_all(&mut self, place: &str, part: Self) {
        let part = part.0.into_iter();
        self.0.extend(part.map(|error| FieldError {
            pointer: format!("{place}{}", error.pointer),
            detail: error.detail,
        }));
    }

    /// All that was noted, without anything shaped like a token.
    pub(crate) fn into_scrubbed(self, scrubber: &Scrubber) -> Vec<FieldError> {
        let errors = self.0.iter();
        errors.map(|error| scrubbed(error, scrubber)).collect()
    }

    /// How much was noted.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was noted.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As [`FieldErrors::check`], telling the first `most` of them.
    pub(crate) fn check_first(mut self, most: usize) -> Result<(), Problem> {
        let more = self.0.len() > most;
        self.0.truncate(most);
        self.check().map_err(|mut problem| {
            if more {
                let detail = "fields cannot be accepted; these are the first";
                problem.0.detail = format!("more than {most} {detail}");
            }
            problem
        })
    }

    /// Fails if anything was noted.
    pub(crate) fn check(self) -> Result<(), Problem> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Problem::bad_fields(self.0))
        }
    }
}

/// `/expires_in_minutes` as `/expiresInMinutes`.
pub(super) fn camel_case(pointer: &str) -> String {
    let mut camel = String::with_capacity(pointer.len());
    let mut characters = pointer.chars();
    while let Some(character) = characters.next() {
        if character == '_' {
            camel.extend(characters.next().map(|next| next.to_ascii_uppercase()));
        } else {
            camel.push(character);
        }
    }
    camel
}
