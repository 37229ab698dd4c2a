-- Whose history an event belongs to: the account's own, or that of the account a token belongs to.
-- It follows from the stream, which the chain covers, so it is checked and not hashed. With it the
-- feed of one account is read without reading everybody's.
alter table events add column account_id uuid;

alter table events disable trigger events_are_final;
update events as e
set account_id = case e.stream_type
    when 'account' then e.stream_id
    else (select t.account_id from api_tokens as t where t.id = e.stream_id)
end;
alter table events enable trigger events_are_final;

alter table events alter column account_id set not null;
create index events_account on events (account_id, position);
