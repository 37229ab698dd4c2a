drop index api_tokens_environment;
