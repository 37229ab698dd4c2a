-- Not looked at in the rows that there are: that would keep everybody from writing meanwhile.
alter table api_token_usage add constraint api_token_usage_request_id_length
    check (octet_length(request_id) between 1 and 128) not valid;
