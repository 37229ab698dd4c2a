alter table usage_reporters drop column registered_by;
