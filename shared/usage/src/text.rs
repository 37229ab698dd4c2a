//! What is done to texts before they are kept: cut, stripped of the query, scrubbed of secrets.
//!
//! Clients put tokens into paths and agents by mistake. Such a token would be copied through the
//! broker into tables that many may read, so anything shaped like one is taken out at the source.

use std::borrow::Cow;

use memchr::{memchr2, memchr2_iter};

/// What stands in a token's place.
pub const REDACTED: &str = "[redacted]";

/// Fewer characters than a token's 38, so that a token cut short at a limit is found as well.
const MIN_SECRET_CHARACTERS: usize = 20;

const MAX_BRAND_CHARACTERS: usize = 8;

/// Cuts `text` to at most `limit` bytes, never inside a character.
#[must_use]
pub fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The path of a request target: everything before `?` or `#`.
#[must_use]
pub fn path(target: &str) -> &str {
    match memchr2(b'?', b'#', target.as_bytes()) {
        Some(end) => &target[..end],
        None => target,
    }
}

/// Replaces everything shaped like a token of ours (`<brand>_live_<base62>`, `<brand>_test_…`, its
/// underscores percent-encoded or not) by [`REDACTED`]. Allocates only if there was one.
#[must_use]
pub(crate) fn scrub(text: &str) -> Cow<'_, str> {
    let mut clean: Option<String> = None;
    let mut kept = 0;
    for underscore in memchr2_iter(b'_', b'%', text.as_bytes()) {
        // Inside what was just taken out.
        if underscore < kept {
            continue;
        }
        let Some(secret) = environment_end(text.as_bytes(), underscore) else {
            continue;
        };
        let length = base62_run(&text.as_bytes()[secret..]);
        if length < MIN_SECRET_CHARACTERS {
            continue;
        }
        let start = brand_start(text.as_bytes(), kept, underscore);
        let out = clean.get_or_insert_with(|| String::with_capacity(text.len()));
        // `start` and `secret + length` border ASCII characters, so these are character boundaries.
        out.push_str(&text[kept..start]);
        out.push_str(REDACTED);
        kept = secret + length;
    }
    match clean {
        None => Cow::Borrowed(text),
        Some(mut out) => {
            out.push_str(&text[kept..]);
            Cow::Owned(out)
        }
    }
}

/// Where the secret would begin if `_live_` or `_test_` stands at `at`.
fn environment_end(text: &[u8], at: usize) -> Option<usize> {
    let word = underscore_end(text, at)?;
    let name = text.get(word..word + 4)?;
    (name == b"live" || name == b"test")
        .then(|| underscore_end(text, word + 4))
        .flatten()
}

/// Where the underscore at `at` ends, if there is one.
fn underscore_end(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) == Some(&b'_') {
        return Some(at + 1);
    }
    let encoded = text.get(at..at + 3)?;
    encoded.eq_ignore_ascii_case(b"%5f").then_some(at + 3)
}

fn base62_run(text: &[u8]) -> usize {
    text.iter()
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count()
}

fn brand_start(text: &[u8], floor: usize, underscore: usize) -> usize {
    let brand = text[floor..underscore]
        .iter()
        .rev()
        .take(MAX_BRAND_CHARACTERS)
        .take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        .count();
    underscore - brand
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "tk_live_0123456789abcdefghijABCDEFGHIJ01234567";

    #[test]
    fn a_clean_text_is_borrowed() {
        for clean in [
            "",
            "/v1/users/7",
            "/go_live_now",
            "/a_test_b",
            "_live_",
            "äöü_test_",
        ] {
            assert!(matches!(scrub(clean), Cow::Borrowed(text) if text == clean));
        }
    }

    #[test]
    fn tokens_are_taken_out_wherever_they_stand() {
        assert_eq!(scrub(TOKEN), "[redacted]");
        assert_eq!(scrub(&format!("/k/{TOKEN}/x")), "/k/[redacted]/x");
        assert_eq!(
            scrub(&format!("curl {TOKEN} acme_test_{}é", "Z".repeat(38))),
            "curl [redacted] [redacted]é"
        );
        assert_eq!(
            scrub(&format!("{TOKEN}_live_{}", "a".repeat(20))),
            "[redacted][redacted]"
        );
    }

    #[test]
    fn percent_encoded_underscores_hide_nothing() {
        let secret = "a".repeat(38);
        assert_eq!(scrub(&format!("/k/tk%5Flive%5f{secret}")), "/k/[redacted]");
        assert_eq!(
            scrub(&format!("/k/tk_test%5F{secret}/x")),
            "/k/[redacted]/x"
        );
        assert_eq!(scrub("/100%/a%5"), "/100%/a%5");
    }

    #[test]
    fn nineteen_characters_are_no_secret_and_twenty_are() {
        let short = format!("tk_live_{}", "a".repeat(19));
        assert_eq!(scrub(&short), short);
        assert_eq!(scrub(&format!("tk_live_{}", "a".repeat(20))), "[redacted]");
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("", 0), "");
        assert_eq!(cut("日本", 1), "");
    }

    #[test]
    fn the_query_is_dropped() {
        assert_eq!(path("/a?b=c"), "/a");
        assert_eq!(path("/a#b?c"), "/a");
        assert_eq!(path("/a"), "/a");
    }
}
