-- With an account that is deleted go those who signed in for it: their addresses are personal data. The API
-- removes them, as it erases the rest.
grant delete on console_people to tollkeeper_api;
