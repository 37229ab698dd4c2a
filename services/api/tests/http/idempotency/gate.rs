//! A gate between what an append has written and its commit.

use sqlx::PgPool;
use tollkeeper_testkit::{Stack, wait_for};

/// Holds appends until it is opened.
pub(super) struct Gate(PgPool);

impl Gate {
    /// Closes one for all appends to the log.
    pub(super) async fn close(stack: &Stack) -> Self {
        let pool = stack.database.pool.clone();
        sqlx::raw_sql(
            "create table gate (is_open boolean not null);
            insert into gate values (false);
            create function wait_at_gate() returns trigger language plpgsql security definer as $$
            begin
                perform pg_advisory_xact_lock(77);
                while not (select is_open from gate) loop
                    perform pg_sleep(0.005);
                end loop;
                return new;
            end
            $$;
            create trigger gate before update on event_log_head
                for each row execute function wait_at_gate();",
        )
        .execute(&pool)
        .await
        .unwrap();
        Self(pool)
    }

    /// Waits until an append is there: all its rows are written and none is committed.
    pub(super) async fn reached(&self) {
        wait_for("an append at the gate", async || {
            let waiting = "select count(*) from pg_locks
                where locktype = 'advisory' and objid = 77 and granted and database =
                    (select oid from pg_database where datname = current_database())";
            let waiting: i64 = sqlx::query_scalar(waiting)
                .fetch_one(&self.0)
                .await
                .unwrap();
            waiting == 1
        })
        .await;
    }

    /// Lets whoever waits go on to the commit, and all others pass.
    pub(super) async fn open(&self) {
        let open = "update gate set is_open = true";
        sqlx::query(open).execute(&self.0).await.unwrap();
    }

    /// Ends the connection of whoever waits, and lets all others pass.
    pub(super) async fn end_whoever_waits(&self) {
        let ended = "select pg_terminate_backend(pid) from pg_locks
            where locktype = 'advisory' and objid = 77 and granted and database =
                (select oid from pg_database where datname = current_database())";
        let ended: bool = sqlx::query_scalar(ended).fetch_one(&self.0).await.unwrap();
        assert!(ended);
        self.open().await;
    }
}
