-- A cascade finds the tokens whose secret was handed to the holder of a revoked one.
create index events_rotated_by on events (actor, stream_id, stream_version)
    where type = 'TokenRotated' and actor like 'token:%';
