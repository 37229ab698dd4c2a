create or replace function project(projections jsonb) returns void language plpgsql as $$
begin
    if projections ? 'accounts' then
        perform project_accounts(projections -> 'accounts');
    end if;
    if projections ? 'account_profiles' then
        perform project_account_profiles(projections -> 'account_profiles');
    end if;
    if projections ? 'api_tokens' then
        perform project_api_tokens(projections -> 'api_tokens');
    end if;
    if projections ? 'api_token_secrets' then
        perform project_api_token_secrets(projections -> 'api_token_secrets');
    end if;
    if projections ? 'idempotency_keys' then
        perform project_idempotency_keys(projections -> 'idempotency_keys');
    end if;
end
$$;
