//! What the engine is answered.

use tollkeeper_authn::wire::{
    Balance, BalanceUsed, Balances, BalancesUsed, Event, Events, FoundTokens,
};
use tollkeeper_authn::{
    Attendance, BalanceKey, LogHead, LoggedEvent, Lookup, SourceFuture, TokenSource, Used,
};
use tollkeeper_domain::secret::SecretHash;

use std::sync::atomic::Ordering;

use uuid::Uuid;

use super::Primary;

impl TokenSource for Primary {
    fn lookup<'a>(&'a self, digests: &'a [SecretHash]) -> SourceFuture<'a, Lookup> {
        Box::pin(async move {
            self.reachable()?;
            let snapshot = {
                let world = self.world();
                Lookup {
                    head: world.head(),
                    found: digests
                        .iter()
                        .filter_map(|digest| world.find(digest))
                        .collect(),
                }
            };
            let mut mine = 0;
            self.begun.send_modify(|begun| {
                *begun += 1;
                mine = *begun;
            });
            let mut allowed = self.allowed.subscribe();
            allowed
                .wait_for(|allowed| allowed.contains(&mine))
                .await
                .unwrap();
            self.reachable()?;
            if self.is_remote {
                let text = serde_json::to_string(&FoundTokens::of(snapshot, digests)).unwrap();
                let found: FoundTokens = serde_json::from_str(&text).unwrap();
                return found.read(digests);
            }
            Ok(snapshot)
        })
    }

    fn balances<'a>(
        &'a self,
        asked: &'a [BalanceKey],
        own: &'a [Uuid],
    ) -> SourceFuture<'a, Vec<Used>> {
        Box::pin(async move {
            self.reachable()?;
            self.note_reads(asked);
            let used = |key: &BalanceKey| self.used_of(*key, own);
            if !self.is_remote {
                return Ok(asked.iter().map(used).collect());
            }
            let body = Balances {
                own: own.to_vec(),
                balances: asked.iter().copied().map(Balance::from).collect(),
            };
            let text = serde_json::to_string(&body).unwrap();
            let Balances { balances, .. } = serde_json::from_str(&text).unwrap();
            let used = balances.iter().map(|balance| used(&balance.key().unwrap()));
            let answer = BalancesUsed {
                used: used.map(BalanceUsed::from).collect(),
            };
            let text = serde_json::to_string(&answer).unwrap();
            let answer: BalancesUsed = serde_json::from_str(&text).unwrap();
            Ok(answer.used.into_iter().map(Used::from).collect())
        })
    }

    fn attend(&self, attendance: Attendance) -> SourceFuture<'_, LogHead> {
        Box::pin(async move {
            self.reachable()?;
            assert!(!self.is_broken.load(Ordering::Relaxed), "a test's own");
            self.attended.lock().unwrap().push(Some(attendance));
            Ok(self.world().head())
        })
    }

    fn recently_used(&self, most: usize) -> SourceFuture<'_, Vec<SecretHash>> {
        Box::pin(async move {
            self.reachable()?;
            let used = self.used.lock().unwrap();
            Ok(used.iter().rev().take(most).copied().collect())
        })
    }

    fn leave(&self) -> SourceFuture<'_, ()> {
        Box::pin(async {
            self.reachable()?;
            self.attended.lock().unwrap().push(None);
            Ok(())
        })
    }

    fn events_after(&self, position: u64, limit: usize) -> SourceFuture<'_, Vec<LoggedEvent>> {
        Box::pin(async move {
            self.reachable()?;
            let world = self.world();
            let rest = world.log.iter().skip(position as usize);
            let page = rest.take(limit).cloned();
            if self.is_remote {
                let items = page.map(Event::from).collect();
                let text = serde_json::to_string(&Events { items }).unwrap();
                let page: Events = serde_json::from_str(&text).unwrap();
                return Ok(page.items.into_iter().map(LoggedEvent::from).collect());
            }
            Ok(page.collect())
        })
    }
}
