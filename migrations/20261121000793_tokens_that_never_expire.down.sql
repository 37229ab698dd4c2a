drop index api_tokens_never_expires;
