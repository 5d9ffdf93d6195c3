"""The system's rows: categories, subtypes and templates, copied in by every migration."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from notifications.categories import CATEGORIES, SUBTYPES
from notifications.system_templates import system_templates
from notifications.template import TemplateVersion, messages_to_json

# What an operator switched off stays off: is_enabled and is_default_enabled are written once.
_CATEGORY = text("""
insert into notification_categories (tenant_id, slug, is_enabled, is_default_enabled)
values (null, :slug, true, true) on conflict (tenant_id, slug) do nothing""")

_SUBTYPE = text("""
insert into notification_subtypes (tenant_id, slug, category, is_enabled, is_default_enabled, is_mandatory, is_urgent,
  is_secret, uncertain_policy, expires_after)
values (null, :slug, :category, true, :is_enabled_by_default, :is_mandatory,
  :is_urgent, :is_secret, :uncertain_policy, :expires_after)
on conflict (tenant_id, slug) do update set category = excluded.category, is_mandatory = excluded.is_mandatory,
  is_urgent = excluded.is_urgent, is_secret = excluded.is_secret, uncertain_policy = excluded.uncertain_policy,
  expires_after = excluded.expires_after, updated_at = now()""")

_SUPERSEDE = text("""
update system_email_templates set is_current = false
where (name, locale) = (:name, :locale) and version <> :version and is_current""")

_TEMPLATE = text("""
insert into system_email_templates (name, locale, version, subject, html, text, layout_html, layout_text,
  messages)
values (:name, :locale, :version, :subject, :html, :text, :layout_html, :layout_text, cast(:messages as jsonb))
on conflict (name, locale, version) do update set is_current = true""")


async def seed(connection: AsyncConnection) -> None:
    """Write the system's rows; a template version that is there already is only made current again."""
    for slug in CATEGORIES:
        await connection.execute(_CATEGORY, {"slug": slug})
    for subtype in SUBTYPES.values():
        await connection.execute(
            _SUBTYPE,
            {
                "slug": subtype.slug,
                "category": subtype.category,
                "is_enabled_by_default": subtype.is_enabled_by_default,
                "is_mandatory": subtype.is_mandatory,
                "is_urgent": subtype.is_urgent,
                "is_secret": subtype.is_secret,
                "uncertain_policy": subtype.uncertain_policy.value,
                "expires_after": subtype.expires_after,
            },
        )
    for template in system_templates():
        await _write_template(connection, template)


async def _write_template(connection: AsyncConnection, template: TemplateVersion) -> None:
    key = {"name": template.name, "locale": template.locale, "version": template.version}
    await connection.execute(_SUPERSEDE, key)
    await connection.execute(
        _TEMPLATE,
        key
        | {
            "subject": template.subject,
            "html": template.html,
            "text": template.text,
            "layout_html": template.layout_html,
            "layout_text": template.layout_text,
            "messages": messages_to_json(template.messages),
        },
    )
