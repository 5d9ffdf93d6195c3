-- A version holds the texts of its sources in its language: a text with its translation, or with its plural forms.
alter table system_email_templates
  add column messages jsonb not null default '{}' check (jsonb_typeof(messages) = 'object');

alter table tenant_email_templates
  add column messages jsonb not null default '{}' check (jsonb_typeof(messages) = 'object');

-- name, logo_url, logo_alt, color, address, url: each a text, each optional (notifications/branding.py).
alter table tenant_email_settings
  add column branding jsonb not null default '{}' check (jsonb_typeof(branding) = 'object');
