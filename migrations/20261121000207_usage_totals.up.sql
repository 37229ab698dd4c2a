-- What a token shows about its use: how often it was presented, and when it last let a call pass.
-- A table of its own, so that counting never touches the row that authentication reads.
create table api_token_usage_totals (
    token_id     uuid   primary key,
    usage_count  bigint not null constraint api_token_usage_totals_count_positive check (usage_count > 0),
    -- Null while every call was refused.
    last_used_at timestamptz
)
-- Each batch updates hot rows: room on the page lets the update stay there (HOT).
with (fillfactor = 70);
