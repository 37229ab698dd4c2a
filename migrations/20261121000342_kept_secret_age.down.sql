drop index idempotency_keys_sealed;
