drop table console_links;
