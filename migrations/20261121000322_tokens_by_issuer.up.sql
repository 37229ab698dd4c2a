-- Lists what was issued with a token, in the order of the list: one that a service issues with may
-- have issued most of all. It serves whoever asks for the issuer alone as well, and tokens that
-- nobody's token issued are not in it.
create index api_tokens_issuer on api_tokens (issued_by, id) where issued_by is not null;
drop index api_tokens_issued_by;
