-- Quiet hours by the clock in users.timezone; a weekday (Monday is 0) is the one on which a quiet time begins.
alter table users
  add column quiet_begins time,
  add column quiet_ends time,
  add column quiet_days smallint[] check (quiet_days <@ array[0, 1, 2, 3, 4, 5, 6]::smallint[]),
  add constraint quiet_hours_are_whole check ((quiet_begins is null) = (quiet_ends is null));

-- Where somebody wants a kind of mail; a row may say only that, and leave it on or off as it is.
alter table user_notification_preferences
  alter column is_enabled drop not null,
  add column email text check (email = lower(email));
