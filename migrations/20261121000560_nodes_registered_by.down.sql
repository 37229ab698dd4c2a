alter table nodes drop column registered_by;
