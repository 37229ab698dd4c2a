drop index api_tokens_account_name;
