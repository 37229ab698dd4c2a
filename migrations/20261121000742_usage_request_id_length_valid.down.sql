-- A constraint that was found to hold cannot be made unknown again; migration 741 takes it away.
select;
