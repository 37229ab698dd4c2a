//! The shapes of tokens that other systems issued and that were imported by their hashes.
//!
//! A token of ours proves its shape by a checksum; what another system issued is known by a prefix,
//! an alphabet and a length alone. Shapes only say which texts are worth a look-up, and which are
//! kept out of logs: whether a token works is told by its hash. They never admit a text that begins
//! like a token of ours, whose checksum always counts.

use std::fmt;
use std::str::FromStr;

use crate::secret::{Brand, is_own};

/// The most shapes of one installation.
const MAX_SHAPES: usize = 16;

/// The longest prefix, in characters.
const MAX_PREFIX: usize = 32;

/// The fewest characters after the prefix: fewer can be guessed, and would be found in any text.
const MIN_CHARACTERS: usize = 16;

/// The fewest where there is no prefix.
const MIN_BARE_CHARACTERS: usize = 32;

/// The most characters after the prefix. It bounds what is hashed for those who present junk.
const MAX_CHARACTERS: usize = 256;

/// Of what a token consists after its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// Digits and the letters `a` to `f` of either case.
    Hex,
    /// Digits and letters.
    Base62,
    /// Digits, letters, `-` and `_`.
    Base64Url,
    /// Digits, letters, `-`, `_` and `.`.
    Dotted,
}

impl Alphabet {
    /// Whether the character is one of it.
    #[must_use]
    pub const fn holds(self, byte: u8) -> bool {
        match self {
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Base62 => byte.is_ascii_alphanumeric(),
            Self::Base64Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
        }
    }
}

/// What tokens of one other maker look like: `prefix:alphabet:length`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    prefix: String,
    alphabet: Alphabet,
    least: usize,
    most: usize,
}

impl Shape {
    /// What every such token begins with; may be nothing.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Of what it consists after that.
    #[must_use]
    pub const fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    /// The fewest characters after the prefix of a text that should be seen by nobody. Lower than
    /// the shape's own where that allows, so that a token cut short is found as well.
    #[must_use]
    pub fn least_hidden(&self) -> usize {
        if self.prefix.is_empty() {
            self.least
        } else {
            MIN_CHARACTERS
        }
    }

    fn fits(&self, token: &[u8]) -> bool {
        token
            .strip_prefix(self.prefix.as_bytes())
            .is_some_and(|rest| {
                (self.least..=self.most).contains(&rest.len())
                    && rest.iter().all(|byte| self.alphabet.holds(*byte))
            })
    }
}

/// Why a text is no list of shapes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadShape {
    /// Not of three parts.
    #[error("`{0}` is not of the form prefix:alphabet:length")]
    Form(String),
    /// The prefix has other characters, or too many.
    #[error(
        "the prefix of `{0}` has something else than letters, digits, `-`, `_` and `.`, or more than {MAX_PREFIX}"
    )]
    Prefix(String),
    /// No alphabet has this name.
    #[error("the alphabet of `{0}` is none of hex, base62, base64url and dotted")]
    Alphabet(String),
    /// No length, or one out of bounds.
    #[error(
        "the length of `{0}` is not a number or a range such as 32-64, from {MIN_CHARACTERS} \
         ({MIN_BARE_CHARACTERS} without a prefix) to {MAX_CHARACTERS} characters after the prefix"
    )]
    Length(String),
    /// Too many of them.
    #[error("there are more than {MAX_SHAPES} shapes")]
    TooMany,
}

impl FromStr for Shape {
    type Err = BadShape;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let own = || text.to_owned();
        let mut parts = text.split(':');
        let (Some(prefix), Some(alphabet), Some(length), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(BadShape::Form(own()));
        };
        if prefix.len() > MAX_PREFIX || !prefix.bytes().all(|it| Alphabet::Dotted.holds(it)) {
            return Err(BadShape::Prefix(own()));
        }
        let alphabet = match alphabet {
            "hex" => Alphabet::Hex,
            "base62" => Alphabet::Base62,
            "base64url" => Alphabet::Base64Url,
            "dotted" => Alphabet::Dotted,
            _ => return Err(BadShape::Alphabet(own())),
        };
        let bounds = length.split_once('-').unwrap_or((length, length));
        let floor = if prefix.is_empty() {
            MIN_BARE_CHARACTERS
        } else {
            MIN_CHARACTERS
        };
        match (bounds.0.parse(), bounds.1.parse()) {
            (Ok(least), Ok(most)) if floor <= least && least <= most && most <= MAX_CHARACTERS => {
                Ok(Self {
                    prefix: prefix.to_owned(),
                    alphabet,
                    least,
                    most,
                })
            }
            _ => Err(BadShape::Length(own())),
        }
    }
}

/// All shapes of an installation; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shapes(Vec<Shape>);

impl Shapes {
    /// One by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Shape> {
        self.0.iter()
    }

    /// Whether the presented text may be a token that was imported. One that begins like ours is
    /// not: it would be ours without its checksum.
    #[must_use]
    pub fn admit(&self, token: &[u8], brand: &Brand) -> bool {
        self.0.iter().any(|shape| shape.fits(token)) && !is_own(token, brand)
    }

    /// The first shape whose every token begins like ours, and so is never admitted.
    #[must_use]
    pub fn shadowed_by(&self, brand: &Brand) -> Option<&Shape> {
        self.0
            .iter()
            .find(|shape| is_own(shape.prefix.as_bytes(), brand))
    }
}

/// Shapes with commas between them.
impl FromStr for Shapes {
    type Err = BadShape;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shapes: Vec<Shape> = text
            .split(',')
            .map(|shape| shape.trim().parse())
            .collect::<Result<_, _>>()?;
        if shapes.len() > MAX_SHAPES {
            return Err(BadShape::TooMany);
        }
        Ok(Self(shapes))
    }
}

/// As it is written in a setting.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alphabet = match self.alphabet {
            Alphabet::Hex => "hex",
            Alphabet::Base62 => "base62",
            Alphabet::Base64Url => "base64url",
            Alphabet::Dotted => "dotted",
        };
        let Self {
            prefix,
            least,
            most,
            ..
        } = self;
        write!(f, "{prefix}:{alphabet}:{least}-{most}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(text: &str) -> Shapes {
        text.parse().unwrap()
    }

    fn brand() -> Brand {
        "tk".parse().unwrap()
    }

    #[test]
    fn prefix_alphabet_and_length_all_count() {
        let shapes = shapes("old_:hex:32, :base62:40-42,dot.:dotted:16-20");
        let hex = "0123456789abcdefABCDEF0123456789";
        let admitted = |text: &str| shapes.admit(text.as_bytes(), &brand());
        assert!(admitted(&format!("old_{hex}")));
        assert!(!admitted(hex), "bare, and too short for the bare one");
        assert!(!admitted(&format!("old_{hex}0")));
        assert!(!admitted(&format!("old_{}", &hex[1..])));
        assert!(!admitted(&format!("old_{}g", &hex[1..])));
        assert!(!admitted(&format!("Old_{hex}")));
        for (length, fits) in [(39, false), (40, true), (42, true), (43, false)] {
            assert_eq!(admitted(&"Zz9".repeat(15)[..length]), fits, "{length}");
        }
        assert!(admitted("dot.abc.def-ghi_jkl-mn"));
        assert!(!admitted("dot.abc.def ghi_jkl-mn"));
        assert!(!shapes.admit(&[0xff; 40], &brand()));
        assert!(!Shapes::default().admit(hex.as_bytes(), &brand()));
    }

    #[test]
    fn what_begins_like_ours_is_ours() {
        let wide = shapes("tk_:base64url:16-200,:base64url:32-200");
        let rest = "a".repeat(38);
        for (text, admitted) in [
            (format!("tk_live_{rest}"), false),
            (format!("tk_test_{rest}"), false),
            (format!("tk_prod_{rest}"), true),
            (format!("tk2_live_{rest}"), true),
        ] {
            assert_eq!(wide.admit(text.as_bytes(), &brand()), admitted, "{text}");
        }
        assert_eq!(wide.shadowed_by(&brand()), None);
        let never = shapes("old_:hex:32,tk_live_:base62:38");
        let shadowed = never.shadowed_by(&brand()).unwrap();
        assert_eq!(shadowed.to_string(), "tk_live_:base62:38-38");
    }

    #[test]
    fn a_shape_is_written_in_one_way() {
        for (bad, why) in [
            ("", BadShape::Form(String::new())),
            ("old_", BadShape::Form("old_".into())),
            ("old_:hex:32:", BadShape::Form("old_:hex:32:".into())),
            ("old_:hex:32,", BadShape::Form(String::new())),
            ("o d:hex:32", BadShape::Prefix("o d:hex:32".into())),
            ("é:hex:32", BadShape::Prefix("é:hex:32".into())),
            ("old_:HEX:32", BadShape::Alphabet("old_:HEX:32".into())),
            ("old_:hex:", BadShape::Length("old_:hex:".into())),
            ("old_:hex:15", BadShape::Length("old_:hex:15".into())),
            ("old_:hex:257", BadShape::Length("old_:hex:257".into())),
            ("old_:hex:40-32", BadShape::Length("old_:hex:40-32".into())),
            ("old_:hex:-32", BadShape::Length("old_:hex:-32".into())),
            (":hex:31", BadShape::Length(":hex:31".into())),
        ] {
            assert_eq!(bad.parse::<Shapes>(), Err(why), "{bad}");
        }
        let prefix = format!("{}:hex:32", "a".repeat(33));
        assert_eq!(
            prefix.parse::<Shapes>(),
            Err(BadShape::Prefix(prefix.clone()))
        );
        let many = vec!["old_:hex:32"; 17].join(",");
        assert_eq!(many.parse::<Shapes>(), Err(BadShape::TooMany));
        assert_eq!(shapes("old_:hex:32-64").iter().count(), 1);
    }
}
