drop function usage_endpoint_template(text);
