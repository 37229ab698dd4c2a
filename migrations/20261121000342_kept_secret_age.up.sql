-- Sealed secrets are removed when they may be shown no more, long before their answers.
create index idempotency_keys_sealed on idempotency_keys (sealed_until) where sealed is not null;
