//! Takes out of a text whatever is shaped like a token: ours, and those that were imported.

use std::borrow::Cow;

use tollkeeper_domain::legacy::{Shape, Shapes};

use crate::text::{REDACTED, scrub};

/// Knows the shapes of the tokens that an installation takes.
#[derive(Debug, Clone, Default)]
pub struct Scrubber {
    legacy: Shapes,
}

impl Scrubber {
    /// A scrubber for our own tokens and for those of these shapes.
    #[must_use]
    pub const fn new(legacy: Shapes) -> Self {
        Self { legacy }
    }

    /// Replaces everything shaped like a token by [`REDACTED`], whether its characters are
    /// percent-encoded or not. Allocates only if there was one.
    #[must_use]
    pub fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = scrub(text);
        for shape in self.legacy.iter() {
            if let Some(out) = without(&clean, shape) {
                clean = Cow::Owned(out);
            }
        }
        clean
    }
}

/// The text without what has this shape; nothing if it holds none.
fn without(text: &str, shape: &Shape) -> Option<String> {
    let bytes = text.as_bytes();
    let mut clean: Option<String> = None;
    let (mut kept, mut at) = (0, 0);
    while at < bytes.len() {
        let Some(start) = after_prefix(bytes, at, shape.prefix().as_bytes()) else {
            at += 1;
            continue;
        };
        let (length, end) = run(bytes, start, shape);
        if length >= shape.least_hidden() {
            let out = clean.get_or_insert_with(|| String::with_capacity(text.len()));
            // Both border ASCII characters, so these are character boundaries.
            out.push_str(&text[kept..at]);
            out.push_str(REDACTED);
            kept = end;
            at = end;
        } else if shape.prefix().is_empty() {
            // Nothing long enough begins inside a run that is too short.
            at = end.max(at + 1);
        } else {
            at += 1;
        }
    }
    clean.map(|mut out| {
        out.push_str(&text[kept..]);
        out
    })
}

/// Where the prefix that stands at `at` ends, if it does.
fn after_prefix(text: &[u8], mut at: usize, prefix: &[u8]) -> Option<usize> {
    for wanted in prefix {
        let (byte, length) = character(text, at)?;
        if byte != *wanted {
            return None;
        }
        at += length;
    }
    Some(at)
}

/// How many characters of the shape's alphabet stand from `at` on, and where they end.
fn run(text: &[u8], mut at: usize, shape: &Shape) -> (usize, usize) {
    let mut length = 0;
    while let Some((byte, bytes)) = character(text, at)
        && shape.alphabet().holds(byte)
    {
        at += bytes;
        length += 1;
    }
    (length, at)
}

/// The byte that stands at `at`, percent-encoded or not, and how much of the text it takes.
fn character(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let plain = *text.get(at)?;
    if plain != b'%' {
        return Some((plain, 1));
    }
    let digit = |at: usize| text.get(at).and_then(|it| char::from(*it).to_digit(16));
    let encoded = digit(at + 1).zip(digit(at + 2));
    let encoded = encoded.and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
    Some(encoded.map_or((plain, 1), |byte| (byte, 3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber(shapes: &str) -> Scrubber {
        Scrubber::new(shapes.parse().unwrap())
    }

    #[test]
    fn what_has_no_shape_is_borrowed() {
        let bare = scrubber(":hex:40,old_:base64url:20");
        for clean in ["", "/v1/users/7", "/old_gold", "äöü%", "/0123456789abcdef"] {
            assert!(matches!(bare.scrub(clean), Cow::Borrowed(text) if text == clean));
        }
        let none = Scrubber::default();
        let hex = "0123456789abcdef".repeat(3);
        assert!(matches!(none.scrub(&hex), Cow::Borrowed(_)));
    }

    #[test]
    fn legacy_tokens_are_taken_out_wherever_they_stand() {
        let both = scrubber("old_:base64url:20,:hex:40");
        let secret = "aB-_".repeat(5);
        let hex = "0123456789abcdef".repeat(3);
        let own = format!("tk_live_{}", "a1".repeat(19));
        for (text, clean) in [
            (format!("old_{secret}"), "[redacted]".to_owned()),
            (format!("/k/old_{secret}/x"), "/k/[redacted]/x".to_owned()),
            (format!("éold_{secret}é"), "é[redacted]é".to_owned()),
            (format!("/k/{hex}?x"), "/k/[redacted]?x".to_owned()),
            (format!("{own} {hex}"), "[redacted] [redacted]".to_owned()),
            (
                format!("/a/old_{secret}/b/old_{secret}"),
                "/a/[redacted]/b/[redacted]".to_owned(),
            ),
            (
                format!("/k/old%5F{}/x", "aB%2D%5f".repeat(5)),
                "/k/[redacted]/x".to_owned(),
            ),
            // Cut short, or with more behind it: neither may be seen.
            (format!("old_{}", &secret[..16]), "[redacted]".to_owned()),
            (format!("old_{secret}more"), "[redacted]".to_owned()),
        ] {
            assert_eq!(both.scrub(&text), clean, "{text}");
        }
        let short = format!("old_{}", &secret[..15]);
        assert_eq!(both.scrub(&short), short);
        assert_eq!(both.scrub(&hex[..39]), &hex[..39]);
    }

    #[test]
    fn a_prefix_that_begins_again_is_found() {
        let dotted = scrubber("aab:hex:16");
        let secret = "0".repeat(16);
        assert_eq!(dotted.scrub(&format!("aaab{secret}")), "a[redacted]");
        assert_eq!(dotted.scrub(&format!("aab0aab{secret}")), "[redacted]");
    }
}
