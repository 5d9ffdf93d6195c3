-- The table anew: no version with plain addresses was ever released, and a migration has no key to hash them with.
drop table suppressions;

-- `address_hash` and `sealed` are the address under the key `key_id` (storage/address_vault.py); `sealed` is null where
-- the address itself was erased and only the promise not to write to it is kept. A null tenant is the whole service.
-- `slug` names the category or subtype of an unsubscribing that is about less than all mail.
create table suppressions (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid references tenants (id) on delete cascade,
  address_hash bytea not null check (octet_length(address_hash) = 16),
  key_id text not null,
  sealed bytea,
  reason text not null check (reason in ('hard_bounce', 'complaint', 'unsubscribed', 'manual')),
  source text not null check (source in ('provider', 'webhook', 'operator', 'recipient', 'import')),
  scope text not null default 'all' check (scope in ('all', 'category', 'subtype')),
  slug text,
  note text check (length(note) <= 500),
  expires_at timestamptz,
  created_by text not null,
  notification_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- The look-up begins with the address: which of its few rows hold is a filter.
  unique nulls not distinct (address_hash, tenant_id, reason, scope, slug),
  constraint scope_is_whole check ((scope = 'all') = (slug is null)),
  constraint only_wishes_are_about_less_than_all check (scope = 'all' or reason = 'unsubscribed')
);

create index suppressions_tenant on suppressions (tenant_id, id);

do $$
declare
  mine constant text := 'tenant_id = any ((select string_to_array(nullif(current_setting(''outbound.tenants'', true), ''''), '',''))::uuid[])';
begin
  alter table suppressions enable row level security;
  alter table suppressions force row level security;
  execute format('create policy tenant on suppressions using (%s)', mine);
  create policy system_rows on suppressions for select to outbound_worker, outbound_api using (tenant_id is null);
  create policy operator on suppressions for select to outbound_platform using (true);
  -- What holds for every tenant, only an operator says.
  create policy operator_writes on suppressions to outbound_platform using (tenant_id is null);
end $$;

grant select, insert on suppressions to outbound_worker;

grant update (expires_at, source, created_by, notification_id, updated_at) on suppressions to outbound_worker;

grant select, insert, update, delete on suppressions to outbound_api, outbound_platform;
