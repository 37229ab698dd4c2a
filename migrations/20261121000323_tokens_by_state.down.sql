drop index api_tokens_state;
