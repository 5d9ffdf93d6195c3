-- Quiet hours by the clock in users.timezone; a weekday (Monday is 0) is the one on which a quiet time begins.
alter table users
  add column quiet_begins time,
  add column quiet_ends time,
  add column quiet_days smallint[] check (quiet_days <@ array[0, 1, 2, 3, 4, 5, 6]::smallint[]),
  add constraint quiet_hours_are_whole check ((quiet_begins is null) = (quiet_ends is null)),
  -- All day on every day would be for ever, without saying so.
  add constraint quiet_hours_end check (quiet_begins <> quiet_ends or cardinality(quiet_days) between 1 and 6);

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
  closed_at timestamptz,
  leased_until timestamptz,
  unique (id, tenant_id)
);

create unique index digests_open on digests (tenant_id, reader, key) where closed_at is null;

create index digests_due on digests (closes_at) where closed_at is null;

create index digests_closed on digests (closed_at) where closed_at is not null;

create table digest_items (
  digest_id uuid not null,
  notification_id uuid not null,
  tenant_id uuid not null,
  primary key (digest_id, notification_id),
  foreign key (digest_id, tenant_id) references digests (id, tenant_id) on delete cascade
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
  create policy dispatcher on digests to outbound_dispatcher using (true);
end $$;

create policy retention on digests to outbound_owner using (closed_at < now() - interval '34 days');

create policy retention on digest_items to outbound_owner using (true);

grant select, insert, update on digests to outbound_worker;

grant select, insert on digest_items to outbound_worker;

-- Not the reader, who may be an address.
grant select (id, tenant_id, closes_at, closed_at, leased_until), update (leased_until) on digests to outbound_dispatcher;

grant select on digests, digest_items to outbound_api, outbound_platform;

-- Digests that were closed long ago. Called with apply_retention().
create function forget_digests(today date default (now() at time zone 'utc')::date) returns void
language sql security definer set search_path = outbound, pg_temp as $$
  delete from digests where closed_at < least(today, (now() at time zone 'utc')::date) - 35 $$;

revoke all on function forget_digests(date) from public;

grant execute on function forget_digests(date) to outbound_dispatcher;
