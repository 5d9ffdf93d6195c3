-- The tables that carry the line (DESIGN §7). Statements end with a semicolon at the end of a line, followed by an empty line.

-- ---------------------------------------------------------------- tenants, people, settings

create table tenants (
  id uuid primary key,
  slug text not null unique check (slug ~ '^[a-z0-9](-?[a-z0-9])*$' and length(slug) <= 63),
  name text not null,
  is_active boolean not null default true,
  settings_version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table users (
  tenant_id uuid not null references tenants (id) on delete cascade,
  user_id text not null,
  email text check (email = lower(email)),
  name text,
  locale text,
  timezone text,
  email_verified boolean not null default false,
  is_deleted boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, user_id)
);

create table notification_settings (
  tenant_id uuid primary key references tenants (id) on delete cascade,
  is_enabled boolean not null default true,
  rate_limit_per_minute integer check (rate_limit_per_minute between 1 and 1000000),
  rate_limit_burst integer check (rate_limit_burst between 1 and 1000000),
  updated_at timestamptz not null default now()
);

-- A null tenant is a system row: the default that a tenant's own row of the same slug overrides.
create table notification_categories (
  tenant_id uuid references tenants (id) on delete cascade,
  slug text not null,
  is_enabled boolean,
  is_default_enabled boolean,
  updated_at timestamptz not null default now(),
  unique nulls not distinct (tenant_id, slug)
);

create table notification_subtypes (
  tenant_id uuid references tenants (id) on delete cascade,
  slug text not null,
  category text not null,
  is_enabled boolean,
  is_default_enabled boolean,
  is_mandatory boolean,
  is_urgent boolean,
  is_secret boolean,
  uncertain_policy text check (uncertain_policy in ('at_least_once', 'at_most_once')),
  expires_after interval check (expires_after between interval '1 second' and interval '1 year'),
  updated_at timestamptz not null default now(),
  unique nulls not distinct (tenant_id, slug)
);

create table user_notification_preferences (
  tenant_id uuid not null references tenants (id) on delete cascade,
  user_id text not null,
  scope text not null check (scope in ('category', 'subtype')),
  slug text not null,
  is_enabled boolean not null,
  updated_at timestamptz not null default now(),
  primary key (tenant_id, user_id, scope, slug)
);

create table tenant_email_settings (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null unique references tenants (id) on delete cascade,
  tier text not null default 'platform' check (tier in ('platform', 'custom', 'hybrid')),
  from_domain text,
  default_from_address text,
  reply_to_address text,
  custom_domain text,
  custom_from_address text,
  domain_verified boolean not null default false,
  dkim_enabled boolean not null default false,
  custom_headers jsonb not null default '{}',
  tags text[] not null default '{}',
  routing jsonb not null default '{}',
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table suppressions (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid references tenants (id) on delete cascade,
  address text not null check (address = lower(address)),
  reason text not null check (reason in ('hard_bounce', 'complaint', 'unsubscribed', 'manual')),
  notification_id uuid,
  created_at timestamptz not null default now(),
  unique nulls not distinct (tenant_id, address, reason)
);

create table audit_log (
  id bigint generated always as identity primary key,
  tenant_id uuid,
  actor text not null,
  action text not null,
  subject text not null,
  detail jsonb not null default '{}',
  created_at timestamptz not null default now()
);

-- ---------------------------------------------------------------- templates

-- A version is the hash of everything it is made of; a row is never updated, only superseded.
create table system_email_templates (
  name text not null,
  locale text not null,
  version text not null,
  subject text not null,
  html text not null,
  text text not null,
  layout_html text not null,
  layout_text text not null,
  is_current boolean not null default true,
  created_at timestamptz not null default now(),
  primary key (name, locale, version)
);

create unique index system_email_templates_current on system_email_templates (name, locale) where is_current;

create table tenant_email_templates (
  tenant_id uuid not null references tenants (id) on delete cascade,
  name text not null,
  locale text not null,
  version text not null,
  subject text not null,
  html text not null,
  text text not null,
  layout_html text not null,
  layout_text text not null,
  is_current boolean not null default true,
  created_by text not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, name, locale, version)
);

create unique index tenant_email_templates_current on tenant_email_templates (tenant_id, name, locale) where is_current;

-- ---------------------------------------------------------------- the line

create table consumed_events (
  tenant_id uuid not null,
  source text not null,
  event_id text not null,
  entry_id text not null,
  stream text not null,
  type text not null,
  traceparent text,
  outcome text not null,
  repeats jsonb not null default '[]',
  received_at timestamptz not null default now(),
  primary key (tenant_id, source, event_id)
);

create index consumed_events_received_at on consumed_events using brin (received_at);

create table event_bodies (
  tenant_id uuid not null,
  source text not null,
  event_id text not null,
  received_at timestamptz not null,
  body bytea not null
) partition by range (received_at);

create index event_bodies_event on event_bodies (tenant_id, source, event_id);

create table event_bodies_default partition of event_bodies default;

create table notification_logs (
  id uuid primary key,
  tenant_id uuid not null,
  source text not null,
  event_id text not null,
  category text not null,
  subtype text not null,
  user_id text,
  recipient text,
  status text not null,
  reason text,
  version integer not null default 1,
  template_name text,
  template_locale text,
  template_version text,
  gates jsonb not null,
  trail jsonb not null,
  traceparent text,
  correlationid text,
  redrive_of uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
) partition by range (id);

create index notification_logs_tenant on notification_logs (tenant_id, id);

create index notification_logs_recipient on notification_logs (tenant_id, recipient, id);

create index notification_logs_event on notification_logs (tenant_id, source, event_id);

-- Half empty, for the status that follows the claim: 93 % of those updates are HOT, with 85 it is 37 %.
create table notification_logs_default partition of notification_logs default with (fillfactor = 50);

create table message_contents (
  notification_id uuid not null,
  kind text not null check (kind in ('request', 'rendered')),
  tenant_id uuid not null,
  message bytea not null,
  sha256 bytea not null,
  primary key (notification_id, kind)
) partition by range (notification_id);

create table message_contents_default partition of message_contents default;

create table delivery_attempts (
  notification_id uuid not null,
  n integer not null,
  tenant_id uuid not null,
  provider text not null,
  mail_from text,
  outcome text not null,
  error text,
  reply text,
  provider_message_id text,
  worker text not null,
  started_at timestamptz not null,
  finished_at timestamptz not null,
  primary key (notification_id, n)
) partition by range (notification_id);

create index delivery_attempts_provider on delivery_attempts (provider, provider_message_id);

create table delivery_attempts_default partition of delivery_attempts default;

create table send_queue (
  notification_id uuid primary key,
  tenant_id uuid not null,
  lane smallint not null,
  due_at timestamptz not null,
  reason text,
  owner bigint,
  attempt integer not null default 0,
  provider text,
  mail_from text,
  opened_at timestamptz,
  pinned boolean not null default false,
  format smallint not null default 1
) with (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0
);

create index send_queue_due on send_queue (lane, due_at) where owner is null;

create index send_queue_tenant_due on send_queue (tenant_id, lane, due_at) where owner is null;

create index send_queue_owner on send_queue (owner) where owner is not null;

create table outbox (
  id bigint generated always as identity primary key,
  tenant_id uuid,
  stream text not null default 'deliveries' check (stream in ('deliveries', 'events')),
  body jsonb not null
) with (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0
);

create table workers (
  id bigint generated always as identity primary key,
  name text not null,
  host text not null,
  pid integer not null,
  redis_run_id text not null,
  started_at timestamptz not null default now(),
  alive_until timestamptz not null
);

create table dead_letters (
  stream text not null,
  entry_id text not null,
  tenant_id uuid,
  event_id text,
  type text,
  source text,
  reason text not null,
  detail text not null,
  fields jsonb not null,
  is_truncated boolean not null default false,
  deliveries integer not null,
  traceparent text,
  state text not null default 'open' check (state in ('open', 'requeued', 'dropped')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (stream, entry_id)
);

create index dead_letters_event on dead_letters (event_id);

-- ---------------------------------------------------------------- functions

create function status_rank(status text) returns integer language sql immutable parallel safe as $$
  select case status
    when 'queued' then 0 when 'sending' then 0 when 'uncertain' then 0
    when 'skipped' then 1 when 'failed' then 1 when 'cancelled' then 1
    when 'accepted' then 2 when 'delayed' then 3 when 'delivered' then 4
    when 'suppressed' then 5 when 'bounced' then 7 when 'complained' then 8 end $$;

create function bump_settings_version() returns trigger language plpgsql as $$
begin
  update tenants set settings_version = settings_version + 1 where id = coalesce(new.tenant_id, old.tenant_id);
  return null;
end $$;

-- Partitions are made a week and two months ahead. Months and days of ids are ranges of UUIDv8, whose upper 48 bits are
-- milliseconds.
create function ensure_partitions(today date default (now() at time zone 'utc')::date) returns integer
language plpgsql security definer set search_path = outbound, pg_temp as $$
declare
  made integer := 0;
  item record;
begin
  perform pg_advisory_xact_lock(hashtext('ensure_partitions'));
  for item in
    select 'event_bodies' as parent, 'event_bodies_d' || to_char(d, 'YYYYMMDD') as child,
           quote_literal(to_char(d, 'YYYY-MM-DD') || ' 00:00:00+00') as low,
           quote_literal(to_char(d + 1, 'YYYY-MM-DD') || ' 00:00:00+00') as high, '' as options
      from (select today + n as d from generate_series(-1, 7) n) days
    union all
    select 'message_contents', 'message_contents_d' || to_char(d, 'YYYYMMDD'),
           quote_literal(id_at(d::timestamp at time zone 'utc')),
           quote_literal(id_at((d + 1)::timestamp at time zone 'utc')), ''
      from (select today + n as d from generate_series(-1, 7) n) days
    union all
    select parent, parent || '_m' || to_char(m, 'YYYYMM'), quote_literal(id_at(m at time zone 'utc')),
           quote_literal(id_at((m + interval '1 month') at time zone 'utc')), options
      from (select date_trunc('month', (today - 1)::timestamp) + n * interval '1 month' as m from generate_series(0, 2) n) months,
           (values ('notification_logs', ' with (fillfactor = 50)'), ('delivery_attempts', '')) t (parent, options)
  loop
    if to_regclass('outbound.' || item.child) is null then
      begin
        execute format('create table %I partition of %I for values from (%s) to (%s)%s',
                       item.child, item.parent, item.low, item.high, item.options);
        -- Everybody goes through the parent and its policies; the partition itself is nobody's, not even the owner's.
        execute format('alter table %I enable row level security', item.child);
        execute format('alter table %I force row level security', item.child);
        made := made + 1;
      exception when check_violation then
        -- The default partition has rows of this period already: it keeps all of them, and the other periods go on.
        raise notice 'no partition %: the default partition has rows of its period', item.child;
      end;
    end if;
  end loop;
  return made;
end $$;

create function id_at(at timestamptz) returns uuid language sql immutable as $$
  select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;

-- Bodies and contents are kept 30 days, the inbox 35 (the window in which a repeat is known as one). A day of contents
-- stays while anything of it waits to be sent. Returns how many partitions were dropped.
create function apply_retention(today date default (now() at time zone 'utc')::date) returns integer
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
  return dropped;
end $$;

-- Who has something due, from a tenant on: a loose index scan over tenants that wait at all, then one look-up each. The
-- first condition is the idle case: nothing is due, and nothing else is looked at.
create function due_tenants(in_lane smallint, after_tenant uuid, at timestamptz, n integer) returns setof uuid
language sql stable as $$
  with recursive t as (
    (select tenant_id from send_queue
      where owner is null and tenant_id > after_tenant
        and exists (select from send_queue d where d.owner is null and d.lane = in_lane and d.due_at <= at)
      order by tenant_id limit 1)
    union all
    select (select q.tenant_id from send_queue q
      where q.owner is null and q.tenant_id > t.tenant_id
      order by q.tenant_id limit 1)
    from t where t.tenant_id is not null)
  select tenant_id from t
  where tenant_id is not null and exists (select from send_queue d
    where d.owner is null and d.tenant_id = t.tenant_id and d.lane = in_lane and d.due_at <= at)
  limit n $$;

-- Slugs are unique over all tenants: the one question about others that a tenant's transaction may ask.
create function slug_is_taken(wanted text, by_other_than uuid) returns boolean
language sql stable security definer set search_path = outbound, pg_temp as $$
  select exists (select from tenants where slug = wanted and id <> by_other_than) $$;

-- ---------------------------------------------------------------- triggers

create trigger settings_version after insert or update or delete on notification_settings
  for each row execute function bump_settings_version();

create trigger settings_version after insert or update or delete on tenant_email_settings
  for each row execute function bump_settings_version();

create trigger settings_version after insert or update or delete on tenant_email_templates
  for each row execute function bump_settings_version();

create trigger settings_version after insert or update or delete on notification_categories
  for each row execute function bump_settings_version();

create trigger settings_version after insert or update or delete on notification_subtypes
  for each row execute function bump_settings_version();

-- ---------------------------------------------------------------- row-level security

do $$
declare
  mine constant text := '%s = any ((select string_to_array(nullif(current_setting(''outbound.tenants'', true), ''''), '',''))::uuid[])';
  owned constant text[] := array['users', 'notification_settings', 'user_notification_preferences', 'tenant_email_settings',
    'tenant_email_templates', 'consumed_events', 'event_bodies', 'notification_logs', 'message_contents',
    'delivery_attempts', 'send_queue'];
  shared constant text[] := array['notification_categories', 'notification_subtypes', 'suppressions', 'outbox', 'audit_log'];
  name text;
begin
  foreach name in array owned || shared || array['tenants', 'dead_letters', 'event_bodies_default',
    'notification_logs_default', 'message_contents_default', 'delivery_attempts_default'] loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
  end loop;
  foreach name in array owned loop
    execute format('create policy tenant on %I using (%s)', name, format(mine, 'tenant_id'));
  end loop;
  execute format('create policy tenant on tenants using (%s)', format(mine, 'id'));
  foreach name in array shared loop
    execute format('create policy tenant on %I using (%s)', name, format(mine, 'tenant_id'));
  end loop;
  -- system rows: read by everybody, written by the owner (migrate) alone
  foreach name in array array['notification_categories', 'notification_subtypes', 'suppressions'] loop
    execute format('create policy system_rows on %I for select to outbound_worker, outbound_api using (tenant_id is null)', name);
    execute format('create policy system_rows_owner on %I to outbound_owner using (tenant_id is null)', name);
  end loop;
  execute 'create policy slugs on tenants for select to outbound_owner using (true)';
  -- what retention has to see, and nothing newer
  execute 'create policy retention on send_queue for select to outbound_owner using (true)';
  execute 'create policy retention on consumed_events to outbound_owner using (received_at < now() - interval ''34 days'')';
  -- ids only: the dispatcher works for all tenants
  foreach name in array array['send_queue', 'outbox'] loop
    execute format('create policy dispatcher on %I to outbound_dispatcher using (true)', name);
  end loop;
  -- what was decided about an entry that names no tenant we know
  execute 'create policy unowned on outbox for insert to outbound_worker, outbound_platform with check (tenant_id is null)';
  execute 'create policy dead_letter_writer on dead_letters for insert to outbound_worker with check (true)';
  -- operators read everything, and write only what has no tenant
  foreach name in array owned || shared || array['tenants', 'dead_letters'] loop
    execute format('create policy operator on %I for select to outbound_platform using (true)', name);
  end loop;
  execute 'create policy operator_writes on dead_letters for update to outbound_platform using (true)';
  execute 'create policy operator_writes on audit_log for insert to outbound_platform with check (true)';
end $$;

-- ---------------------------------------------------------------- grants: on parents only

grant usage on schema outbound to outbound_worker, outbound_api, outbound_dispatcher, outbound_platform;

grant select on alembic_version to outbound_worker, outbound_platform;

grant select on tenants, users, notification_settings, notification_categories, notification_subtypes,
  user_notification_preferences, tenant_email_settings, suppressions, tenant_email_templates, system_email_templates,
  consumed_events, event_bodies, notification_logs, message_contents, delivery_attempts, send_queue
  to outbound_worker, outbound_api, outbound_platform;

grant select on workers, outbox, dead_letters, audit_log to outbound_platform;

grant insert, update on tenants, users to outbound_worker, outbound_api;

grant insert on consumed_events, event_bodies, notification_logs, message_contents, delivery_attempts, outbox,
  suppressions, dead_letters to outbound_worker;

grant insert, update, delete on send_queue to outbound_worker;

grant update (repeats) on consumed_events to outbound_worker;

grant update (status, reason, version, gates, trail, updated_at) on notification_logs to outbound_worker;

grant update on delivery_attempts to outbound_worker;

grant delete on message_contents to outbound_worker;

grant select, insert, delete on workers to outbound_dispatcher;

grant update on workers to outbound_dispatcher;

grant select, update (alive_until) on workers to outbound_worker;

grant select, update, delete on send_queue to outbound_dispatcher;

grant select, delete on outbox to outbound_dispatcher;

grant insert, update, delete on notification_settings, notification_categories, notification_subtypes,
  user_notification_preferences, tenant_email_settings, tenant_email_templates, suppressions to outbound_api;

grant insert on audit_log, outbox to outbound_api, outbound_platform;

grant update (state, updated_at) on dead_letters to outbound_platform;

revoke all on function ensure_partitions(date) from public;

grant execute on function ensure_partitions(date) to outbound_dispatcher;

revoke all on function apply_retention(date) from public;

grant execute on function apply_retention(date) to outbound_dispatcher;

revoke all on function slug_is_taken(text, uuid) from public;

grant execute on function slug_is_taken(text, uuid) to outbound_worker, outbound_api;

select ensure_partitions();
