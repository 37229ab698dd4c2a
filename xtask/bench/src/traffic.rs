//! Which tokens requests come with.

use std::sync::Arc;

/// Tokens, and how often each of them is used. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Traffic {
    tokens: Arc<[String]>,
    how: How,
}

#[derive(Debug, Clone, Copy)]
enum How {
    /// One after the other, so that each is used once before any is used again.
    InTurn,
    /// Each as often as the others, far from the one before.
    Evenly,
    /// [`FAVOURITES`] of them get [`FAVOURED`] of 100 requests.
    Skewed,
}

const FAVOURITES: usize = 5;
const FAVOURED: usize = 86;

impl Traffic {
    /// Always the same token.
    pub(crate) fn one(token: &str) -> Self {
        Self::in_turn(&[token.to_owned()])
    }

    /// One token after the other.
    pub(crate) fn in_turn(tokens: &[String]) -> Self {
        Self::new(tokens, How::InTurn)
    }

    /// Each token as often as the others.
    pub(crate) fn evenly(tokens: &[String]) -> Self {
        Self::new(tokens, How::Evenly)
    }

    /// Five tokens get 86 % of the requests.
    pub(crate) fn skewed(tokens: &[String]) -> Self {
        Self::new(tokens, How::Skewed)
    }

    fn new(tokens: &[String], how: How) -> Self {
        Self {
            tokens: tokens.into(),
            how,
        }
    }

    /// The token of request `number`.
    pub(crate) fn token(&self, number: usize) -> &str {
        // Knuth's multiplicative hash: every token comes, and neighbours are far apart.
        let far = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let index = match self.how {
            How::InTurn => number,
            How::Skewed if number % 100 < FAVOURED => number % FAVOURITES,
            How::Evenly | How::Skewed => far,
        };
        &self.tokens[index % self.tokens.len()]
    }
}
