drop index api_tokens_expiry_notice;
