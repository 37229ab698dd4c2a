drop table console_devices;
