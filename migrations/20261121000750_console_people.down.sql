drop table console_people;
