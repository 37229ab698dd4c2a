//! A part of a page that may fail without the others.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::console::api::Api;
use crate::console::refused::Refused;
use crate::console::stop::Stop;

/// The longest that a part waits for its numbers: more than a question takes before the API gives it up, and
/// less than the whole page may take.
const PATIENCE: Duration = Duration::from_secs(7);

/// Why a part of a page has nothing to show.
#[derive(Debug, Clone)]
pub(in crate::console) struct Trouble {
    /// What to say.
    pub(in crate::console) text: String,
    /// What the API refused, if it answered.
    pub(in crate::console) refused: Option<Box<Refused>>,
}

impl Trouble {
    fn without_answer(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            refused: None,
        }
    }

    /// The status of the refusal; 0 where there was no answer.
    pub(in crate::console) fn status(&self) -> u16 {
        self.refused.as_ref().map_or(0, |refused| refused.status)
    }
}

/// What a part shows, or why it does not.
pub(in crate::console) type Card<T> = Result<T, Trouble>;

/// Asks the API for what a part shows.
pub(in crate::console) async fn read<T: DeserializeOwned>(
    api: &Api,
    path: &str,
    query: &impl Serialize,
) -> Card<T> {
    match tokio::time::timeout(PATIENCE, api.get(path, query)).await {
        Ok(answer) => answer.map_err(Trouble::from),
        Err(_) => Err(Trouble::without_answer(
            "This took too long to read. The database may be busy.",
        )),
    }
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(refused) => Self {
                text: sentence(&refused.detail),
                refused: Some(refused),
            },
            Stop::Problem(_) | Stop::SignIn { .. } => {
                Self::without_answer("This could not be read.")
            }
        }
    }
}

/// The same with a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    let mut sentence: String = first.into_iter().flatten().chain(letters).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_as_a_sentence() {
        assert_eq!(sentence("ask for less"), "Ask for less.");
        assert_eq!(sentence("Über."), "Über.");
    }
}
