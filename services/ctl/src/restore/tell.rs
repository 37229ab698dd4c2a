//! What the person at the terminal reads.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::findings::{Finding, What};
use super::lost::Lost;
use super::{Error, code, to_redo};
use crate::audit::hexadecimal;
use crate::client::output::plain;
use crate::out::{complain, say};
use crate::proof::Output;

/// Something that was to be done again, and why it was not if so.
#[derive(Debug, Serialize)]
pub(super) struct Done<'a> {
    #[serde(flatten)]
    pub(super) finding: &'a Finding,
    pub(super) failure: Option<String>,
}

/// Tells what is lost and what follows from it.
pub(super) fn found(lost: &Lost, found: &[Finding], output: Output) -> Result<ExitCode, Error> {
    let left = to_redo(found).count();
    match output {
        Output::Json => {
            let answer = json!({
                "position": lost.head.position,
                "hash": hexadecimal(&lost.head),
                "told": lost.told,
                "unreadable": lost.unreadable,
                "lost": lost.events,
                "untold": lost.untold,
                "findings": found,
                "to_redo": left,
            });
            say(&answer.to_string());
        }
        Output::Text => in_words(lost, found, left),
    }
    Ok(code(left > 0))
}

fn in_words(lost: &Lost, found: &[Finding], left: usize) {
    let (position, hash) = (lost.head.position, hexadecimal(&lost.head));
    say(&format!("the log ends at {position} {hash}"));
    let events = &lost.events;
    match (events.first(), events.last()) {
        (Some(first), Some(last)) => say(&format!(
            "{} of {} events that were told are lost, recorded from {} to {}",
            events.len(),
            lost.told,
            first.recorded_at.format("%Y-%m-%dT%H:%M:%SZ"),
            last.recorded_at.format("%Y-%m-%dT%H:%M:%SZ"),
        )),
        _ => say(&format!(
            "none of {} events that were told is lost",
            lost.told
        )),
    }
    for finding in found {
        say(&line(finding));
    }
    for (first, last) in &lost.untold {
        complain(&format!(
            "nothing is told of positions {first} to {last}: what stood there may be lost as well"
        ));
    }
    if lost.unreadable > 0 {
        complain(&format!("{} messages are no events", lost.unreadable));
    }
    if left > 0 {
        complain(&format!(
            "{left} to be done again: `tollkeeper restore redo`"
        ));
    }
}

/// Tells what was done.
pub(super) fn done(done: &[Done<'_>], output: Output) {
    let left = done.iter().filter(|it| it.failure.is_some()).count();
    if output == Output::Json {
        let redone = done.len() - left;
        say(&json!({ "redone": redone, "left": left, "items": done }).to_string());
        return;
    }
    for Done { finding, failure } in done {
        match failure {
            None => say(&line(finding)),
            Some(why) => complain(&format!("{}: {}", line(finding), plain(why))),
        }
    }
    say(&format!("{} done again, {left} left", done.len() - left));
}

fn line(finding: &Finding) -> String {
    let event = &finding.event;
    let what = match (finding.what, event.name.as_str()) {
        (What::Revoke, _) => format!(
            "revoke, {}",
            plain(event.payload["reason"].as_str().unwrap_or("-"))
        ),
        (What::Suspend, _) => "suspend".to_owned(),
        (What::Delete, _) => "delete".to_owned(),
        (What::Look, "TokenRotated") => {
            "look: the secret from before works again, the new one does not".to_owned()
        }
        (What::Look, _) => format!("look: {}", plain(&event.payload.to_string())),
        (What::Gone, _) => format!("gone, of account {}", event.account_id),
    };
    format!(
        "{} {} {what} ({} at {} by {})",
        event.stream_type.as_str(),
        event.stream_id,
        plain(&event.name),
        event.recorded_at.format("%Y-%m-%dT%H:%M:%SZ"),
        plain(&event.actor),
    )
}
