//! Reading balances: with the tokens that have quotas, and again while they are used.

use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::balance::Balance;
use crate::engine::Engine;
use crate::limits::bucket::Owner;
use crate::source::{Found, SourceError};
use crate::wire::MOST_BALANCES;

impl Engine {
    /// Reads again, once a second, the balances that requests were judged by, until `stop` is called.
    pub(crate) async fn renew_balances(&self, stop: CancellationToken) {
        let mut ticks = interval(self.config.balance_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            self.store.balances.tidy(self.clock.wall_micros());
            match self.renew_touched().await {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!("what was used of quotas can be read again");
                }
                Ok(()) => {}
                // Said once, not every second.
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(%error, "what other nodes use of quotas cannot be read");
                }
                Err(_) => {}
            }
        }
    }

    /// Reads the balances once that were touched since they were read last.
    async fn renew_touched(&self) -> Result<(), SourceError> {
        let touched = self.store.balances.take_touched();
        let mut outcome = Ok(());
        for some in touched.chunks(MOST_BALANCES) {
            let limit = self.config.fill.time_limit;
            let read = match outcome {
                Ok(()) => timeout(limit, self.read_balances(some)).await,
                // The others would fare no better.
                Err(_) => Ok(Err(SourceError::NotRead)),
            };
            if let Err(error) = read.unwrap_or(Err(SourceError::TimedOut)) {
                some.iter().for_each(|it| self.store.balances.touch(it));
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// Reads the balances of tokens that were found, and of their accounts. They are to be kept until
    /// the tokens are in memory, or what was read of them may be forgotten at once.
    pub(crate) async fn balances_of(
        &self,
        found: &[Found],
    ) -> Result<Vec<Arc<Balance>>, SourceError> {
        let now = self.clock.wall_micros();
        let mut balances = Vec::new();
        for found in found {
            let account = Owner::Account(found.account.account_id.0);
            let of_account = found.account.quotas.as_deref().into_iter().flatten();
            let token = Owner::Token(found.token.token_id.0);
            let of_token = found.token.restrictions.as_deref();
            let of_token = of_token.into_iter().flat_map(|it| &it.quotas);
            let rules = of_account.map(|rule| (account, rule));
            for (owner, rule) in rules.chain(of_token.map(|rule| (token, rule))) {
                balances.push(self.store.balances.balance(owner, rule, now));
            }
        }
        balances.sort_unstable_by_key(|balance| balance.key);
        balances.dedup_by_key(|balance| balance.key);
        for some in balances.chunks(MOST_BALANCES) {
            self.read_balances(some).await?;
        }
        Ok(balances)
    }

    async fn read_balances(&self, balances: &[Arc<Balance>]) -> Result<(), SourceError> {
        let now = self.clock.wall_micros();
        let asked: Vec<_> = balances.iter().map(|it| it.name(now)).collect();
        let used = self
            .source
            .balances(&asked, &self.config.usage_sources)
            .await?;
        if used.len() != asked.len() {
            return Err(SourceError::Corrupt("not as many balances as asked for"));
        }
        for (balance, used) in balances.iter().zip(used) {
            balance.take_in(used, balance.turn(now));
        }
        Ok(())
    }
}
