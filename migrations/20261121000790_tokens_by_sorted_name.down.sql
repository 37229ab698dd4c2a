drop index api_tokens_sorted_name;
