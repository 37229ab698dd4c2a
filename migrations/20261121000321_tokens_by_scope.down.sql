drop index api_tokens_scopes;
