-- ---------------------------------------------------------------- providers: of the whole service, no tenant's

-- The operator's switch. `configured_*` are EMAIL_PROVIDER and EMAIL_FALLBACK_PROVIDER as they were when it was made: a
-- worker that starts with others removes it.
create table provider_choice (
  is_only boolean primary key default true check (is_only),
  primary_provider text not null,
  fallback_provider text check (fallback_provider <> primary_provider),
  split jsonb not null default '{}' check (jsonb_typeof(split) = 'object'),
  configured_primary text not null,
  configured_fallback text,
  changed_by text not null,
  changed_at timestamptz not null default now()
);

create table provider_settings (
  provider text primary key,
  paused_until timestamptz,
  pause_reason text check (pause_reason in ('throttled', 'quota')),
  drilled_at timestamptz,
  drill_outcome text,
  updated_at timestamptz not null default now(),
  constraint a_pause_is_whole check ((paused_until is null) = (pause_reason is null)),
  constraint a_pause_ends check (isfinite(paused_until))
);

grant select, delete on provider_choice to outbound_worker;

grant select, insert, update on provider_settings to outbound_worker;

grant select, insert, update, delete on provider_choice, provider_settings to outbound_platform;

-- A worker that removes a switch, or has drilled the fallback, says so: both concern no tenant.
create policy service_writes on audit_log for insert to outbound_worker with check (tenant_id is null);

grant insert on audit_log to outbound_worker;

-- What a tenant wants otherwise: a provider of its own; and whether its mail may leave from the platform's domain where
-- the fallback may not use its own (`rewrite`), or waits (`keep`).
alter table tenant_email_settings
  add column provider text,
  add column failover_from text not null default 'rewrite' check (failover_from in ('rewrite', 'keep'));

-- ---------------------------------------------------------------- files

-- Once per tenant and content, however many mails carry it; contents name it by its hash.
create table attachments (
  tenant_id uuid not null references tenants (id) on delete cascade,
  sha256 bytea not null,
  content bytea not null,
  used_at timestamptz not null default now(),
  primary key (tenant_id, sha256)
);

alter table attachments alter column content set storage external;

do $$
declare
  mine constant text := 'tenant_id = any ((select string_to_array(nullif(current_setting(''outbound.tenants'', true), ''''), '',''))::uuid[])';
begin
  alter table attachments enable row level security;
  alter table attachments force row level security;
  execute format('create policy tenant on attachments using (%s)', mine);
  create policy operator on attachments for select to outbound_platform using (true);
  create policy retention on attachments to outbound_owner using (used_at < now() - interval '30 days');
end $$;

grant select, insert, update (used_at) on attachments to outbound_worker;

grant select on attachments to outbound_api, outbound_platform;

-- Files that no content still kept, and nothing that waits, can name. Called with apply_retention().
create function forget_files(today date default (now() at time zone 'utc')::date) returns void
language sql security definer set search_path = outbound, pg_temp as $$
  delete from attachments a where a.used_at < least(today, (now() at time zone 'utc')::date) - 32 and not exists (
    select from send_queue q where q.tenant_id = a.tenant_id
      and q.notification_id < id_at((least(today, (now() at time zone 'utc')::date) - 30)::timestamp at time zone 'utc')) $$;

revoke all on function forget_files(date) from public;

grant execute on function forget_files(date) to outbound_dispatcher;
