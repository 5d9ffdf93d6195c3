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

-- ---------------------------------------------------------------- digests

alter table users
  add column digest_hour smallint check (digest_hour between 0 and 23),
  add column digest_weekday smallint check (digest_weekday between 0 and 6);

alter table user_notification_preferences
  add column frequency text check (frequency in ('realtime', 'hourly', 'daily', 'weekly'));

-- Of one kind of mail to one person about one thing within this time, the first goes at once and the rest as one.
alter table notification_subtypes
  add column digest_window interval check (digest_window between interval '1 second' and interval '1 day');

create or replace function status_rank(status text) returns integer language sql immutable parallel safe as $$
  select case status
    when 'queued' then 0 when 'sending' then 0 when 'uncertain' then 0 when 'collected' then 0
    when 'skipped' then 1 when 'failed' then 1 when 'cancelled' then 1 when 'digested' then 1
    when 'accepted' then 2 when 'delayed' then 3 when 'delivered' then 4
    when 'suppressed' then 5 when 'bounced' then 7 when 'complained' then 8 end $$;

-- `reader` is whom it is for (their user id, or their address where there is none), `key` what it is about.
create table digests (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null,
  reader text not null,
  key text not null,
  closes_at timestamptz not null,
  closed_at timestamptz
);

create unique index digests_open on digests (tenant_id, reader, key) where closed_at is null;

create index digests_due on digests (closes_at) where closed_at is null;

create index digests_closed on digests (closed_at) where closed_at is not null;

create table digest_items (
  digest_id uuid not null references digests (id) on delete cascade,
  notification_id uuid not null,
  tenant_id uuid not null,
  primary key (digest_id, notification_id)
);

do $$
declare
  mine constant text := 'tenant_id = any ((select string_to_array(nullif(current_setting(''outbound.tenants'', true), ''''), '',''))::uuid[])';
  name text;
begin
  foreach name in array array['digests', 'digest_items'] loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy tenant on %I using (%s)', name, mine);
    execute format('create policy operator on %I for select to outbound_platform using (true)', name);
  end loop;
  create policy dispatcher on digests for select to outbound_dispatcher using (true);
end $$;

create policy retention on digests to outbound_owner using (closed_at < now() - interval '34 days');

create policy retention on digest_items to outbound_owner using (true);

grant select, insert, update on digests to outbound_worker;

grant select, insert on digest_items to outbound_worker;

grant select on digests to outbound_dispatcher;

grant select on digests, digest_items to outbound_api, outbound_platform;

-- As before, and digests that were closed long ago.
create or replace function apply_retention(today date default (now() at time zone 'utc')::date) returns integer
language plpgsql security definer set search_path = outbound, pg_temp as $$
declare
  -- Whoever names a day to come gets today: nothing goes before its time.
  this_day constant date := least(today, (now() at time zone 'utc')::date);
  dropped integer := 0;
  item record;
begin
  for item in
    select c.relname as child, to_date(right(c.relname, 8), 'YYYYMMDD') as day, p.relname as parent
      from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
     where p.relnamespace = 'outbound'::regnamespace and p.relname in ('event_bodies', 'message_contents')
       and c.relname ~ '_d[0-9]{8}$' and to_date(right(c.relname, 8), 'YYYYMMDD') < this_day - 30
  loop
    if item.parent = 'message_contents' and exists (
      select from send_queue where notification_id >= id_at(item.day::timestamp at time zone 'utc')
        and notification_id < id_at((item.day + 1)::timestamp at time zone 'utc')) then
      continue;
    end if;
    execute format('drop table %I', item.child);
    dropped := dropped + 1;
  end loop;
  delete from consumed_events where received_at < this_day - 35;
  delete from digests where closed_at < this_day - 35;
  delete from attachments a where a.used_at < this_day - 32 and not exists (
    select from send_queue q where q.tenant_id = a.tenant_id
      and q.notification_id < id_at((this_day - 30)::timestamp at time zone 'utc'));
  return dropped;
end $$;
