-- What made a call, by its User-Agent: browsers by name, everything else by the name of its first
-- product (RFC 9110, section 10.1.5), without its version. Browsers all begin with "Mozilla" and name
-- those they want to be taken for, so the order matters.
create function usage_agent_family(agent text) returns text
language sql immutable strict parallel safe as $$
    select case
        when agent = '' then '(none)'
        when agent like 'Mozilla/%' then case
            when agent ~* '(bot|crawler|spider)[^a-z]' then 'bot'
            when agent ~ '\m(Edg|EdgA|EdgiOS)/' then 'Edge'
            when agent ~ '\m(OPR|OPiOS)/' then 'Opera'
            when agent ~ '\m(Firefox|FxiOS)/' then 'Firefox'
            when agent ~ '\m(Chrome|CriOS|Chromium)/' then 'Chrome'
            when agent ~ '\mSafari/' then 'Safari'
            else 'Mozilla'
        end
        else coalesce(substring(agent from '^[A-Za-z0-9!#$%&''*+.^_`|~-]{1,64}'), '(unknown)')
    end
$$;
