"""Templates in the making, for tests of rendering."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.render import Rendered, Renderer, RenderingError
from notifications.template import Layout, TemplateVersion, pin
from notifications.translation import Messages

CONTENT = "{% block content %}{% endblock %}"
SECRET = "planted-secret-value"


def template(
    subject: str = "s",
    html: str = "h",
    text: str = "t",
    layout_html: str = CONTENT,
    layout_text: str = CONTENT,
    locale: str = "en",
    messages: Messages = (),
) -> TemplateVersion:
    layout = Layout(html=layout_html, text=layout_text)
    return pin(name="mine", locale=locale, subject=subject, html=html, text=text, layout=layout, messages=messages)


def rendered(data: dict[str, Any] | None = None, **sources: Any) -> Rendered:
    return Renderer().render(template(**sources), data or {})


def text_of(source: str, **data: Any) -> str:
    return rendered(data, text=source).text


def refusal(source: str, **data: Any) -> RenderingError:
    with pytest.raises(RenderingError) as refused:
        text_of(source, **data)
    return refused.value
