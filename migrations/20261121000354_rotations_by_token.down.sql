drop index events_rotated_by;
