drop function usage_agent_family(text);
