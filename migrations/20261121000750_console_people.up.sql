-- Who may sign in to the console: holders of an account, and operators, who have none.
create table console_people (
    id            uuid        primary key,
    email         text        not null,
    role          text        not null,
    account_id    uuid        references accounts (id),
    -- Argon2id in PHC form; none for who has not chosen one yet, or comes by OpenID Connect alone.
    password_hash text,
    created_at    timestamptz not null,
    -- From then on there is no way in.
    disabled_at   timestamptz,
    constraint console_people_email check (length(email) between 3 and 254),
    constraint console_people_role check (role in ('user', 'operator')),
    constraint console_people_account check ((role = 'user') = (account_id is not null))
);

create unique index console_people_emails on console_people (lower(email));
create index console_people_accounts on console_people (account_id) where account_id is not null;
