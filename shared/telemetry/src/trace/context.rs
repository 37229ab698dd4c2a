//! The headers by which a trace goes from one program to the next: W3C Trace Context, level 1.
//!
//! The form is checked here, because the readers of the `opentelemetry` crates let through what the
//! recommendation calls invalid: short numbers, signs, and what follows them.

use std::str::FromStr;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The header that names the trace and the span.
pub const TRACEPARENT: &str = "traceparent";

/// The header that holds what the makers of traces add.
pub const TRACESTATE: &str = "tracestate";

/// Version, trace, span and flags, and what stands between them.
const LENGTH: usize = 55;

/// The longest `tracestate` that is taken over, in bytes: as much as everybody has to hand on.
const MOST_STATE: usize = 512;

/// The context that these headers tell of. `None` if `traceparent` is not valid; a `tracestate` that is
/// not is left out.
#[must_use]
pub fn read(traceparent: &str, tracestate: Option<&str>) -> Option<SpanContext> {
    let bytes = traceparent.as_bytes();
    if !has_form(bytes) {
        return None;
    }
    let part = |from: usize, to: usize| std::str::from_utf8(&bytes[from..to]).ok();
    let trace_id = TraceId::from_hex(part(3, 35)?).ok()?;
    let span_id = SpanId::from_hex(part(36, 52)?).ok()?;
    let flags = u8::from_str_radix(part(53, LENGTH)?, 16).ok()?;
    let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    let state = tracestate.filter(|state| state.len() <= MOST_STATE);
    let state = state.and_then(|state| TraceState::from_str(state).ok());
    let context = SpanContext::new(trace_id, span_id, flags, true, state.unwrap_or_default());
    context.is_valid().then_some(context)
}

/// Whether it is written as the recommendation wants it. Versions to come may add something at the end.
fn has_form(bytes: &[u8]) -> bool {
    let Some(known) = bytes.get(..LENGTH) else {
        return false;
    };
    let ends_well = match (&known[..2], &bytes[LENGTH..]) {
        (b"ff", _) => false,
        (b"00", rest) => rest.is_empty(),
        (_, rest) => rest.first().is_none_or(|next| *next == b'-'),
    };
    let fits = |(at, byte): (usize, &u8)| match at {
        2 | 35 | 52 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    ends_well && known.iter().enumerate().all(fits)
}

/// The headers that tell of a context, with their values.
pub fn write(context: &SpanContext) -> impl Iterator<Item = (&'static str, String)> {
    let (trace, span) = (context.trace_id(), context.span_id());
    let flags = u8::from(context.is_sampled());
    let parent = (TRACEPARENT, format!("00-{trace}-{span}-{flags:02x}"));
    let state = context.trace_state().header();
    let state = (!state.is_empty()).then_some((TRACESTATE, state));
    [parent].into_iter().chain(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn what_is_written_is_read() {
        for flags in ["00", "01"] {
            let text = format!("00-{TRACE}-{SPAN}-{flags}");
            let context = read(&text, Some("a=1,b=2")).unwrap();
            assert!(context.is_remote());
            assert_eq!(context.is_sampled(), flags == "01");
            let written: Vec<_> = write(&context).collect();
            assert_eq!(
                written,
                [(TRACEPARENT, text), (TRACESTATE, "a=1,b=2".to_owned())]
            );
        }
        let bare = read(&format!("00-{TRACE}-{SPAN}-01"), None).unwrap();
        assert_eq!(write(&bare).count(), 1);
    }

    #[test]
    fn unknown_flags_and_versions_to_come_are_read_as_far_as_they_are_known() {
        for (text, sampled) in [
            (format!("00-{TRACE}-{SPAN}-ff"), true),
            (format!("00-{TRACE}-{SPAN}-fe"), false),
            (format!("cc-{TRACE}-{SPAN}-01"), true),
            (format!("cc-{TRACE}-{SPAN}-01-what-comes"), true),
        ] {
            assert_eq!(read(&text, None).unwrap().is_sampled(), sampled, "{text}");
        }
    }

    #[test]
    fn what_is_not_valid_is_no_context() {
        let zeroes = ("0".repeat(32), "0".repeat(16));
        for text in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("cc-{TRACE}-{SPAN}-01.what-comes"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{SPAN}-0G"),
            format!("00-+{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{}-{SPAN}-01", zeroes.0),
            format!("00-{TRACE}-{}-01", zeroes.1),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}\u{e9}01"),
        ] {
            assert_eq!(read(&text, None), None, "{text:?}");
        }
    }

    #[test]
    fn a_state_that_cannot_be_handed_on_is_left_out() {
        let text = format!("00-{TRACE}-{SPAN}-01");
        let long = format!("a={}", "1".repeat(MOST_STATE));
        for state in ["a", long.as_str()] {
            let context = read(&text, Some(state)).unwrap();
            assert_eq!(context.trace_state().header(), "", "{state}");
        }
    }
}
