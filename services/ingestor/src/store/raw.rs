//! `api_token_usage`: every single call.

use sqlx::PgConnection;

use super::copy::{Row, copy};
use super::time;
use crate::tally::Countable;

const COPY: &str = r#"copy api_token_usage
    (token_id, account_id, "timestamp", token_version, response_time_us, status, verdict,
     timestamp_replaced, method, endpoint, user_agent, ip, request_id)
    from stdin with (format binary)"#;

/// Inserts all events. By `COPY`: an insert from arrays takes Postgres half as long again, most of
/// it to take the arrays apart.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    events: &[Countable<'_>],
) -> Result<(), sqlx::Error> {
    copy(connection, COPY, events, write).await
}

/// The columns of [`COPY`].
fn write(row: &mut Row<'_>, countable: &Countable<'_>) {
    let event = &countable.event;
    row.uuid(event.token_id.0);
    row.uuid(event.account_id.0);
    row.time(time(countable.at_micros));
    row.bigint(countable.token_version);
    row.bigint(event.response_time_us.into());
    row.smallint(countable.status);
    row.smallint(event.verdict as i16);
    row.boolean(countable.replaced);
    row.text(event.method);
    row.text(event.endpoint);
    row.text(event.user_agent);
    row.address(event.ip);
    row.text_or_null(Some(event.request_id).filter(|id| !id.is_empty()));
}
