-- The token by which a webhook was set up; null where an operator or an account holder did it. A
-- webhook outlives the token that made it, so that whoever revokes the token can find what it left.
alter table webhooks add column created_by uuid;
