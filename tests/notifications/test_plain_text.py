"""The text that is made of HTML: what a person would have typed, with the same Jinja in it."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.plain_text import text_of_html
from tests.notifications.templates import text_of


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<h1>A</h1><p>b  c\n d</p><p>e<br>f</p>", "A\n\nb c d\n\ne\nf\n"),
        ("<ul>\n<li>a</li>\n<li>b</li>\n</ul><p>c</p>", "* a\n* b\n\nc\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a  b\nc\n"),
        ('<p>See <a href="{{ url }}">this</a>.</p>', "See this ({{ url }}).\n"),
        ('<a>no address</a> <img alt="Logo" src="x">', "no address Logo\n"),
        ("<p>a &amp; b &rarr; c</p><!-- no --><style>p {}</style>", "a & b → c\n"),
        ("<p>{{ x }}, <b>{{ y }}</b></p>", "{{ x }}, {{ y }}\n"),
        ("{% block preheader %}short <b>x</b>{% endblock %}\n<p>a</p>", "a\n"),
        (
            "{% block reason %}why{% endblock %}\n<p>a</p>",
            "{% block reason %}why{% endblock %}\na\n",
        ),
        (
            "<p>a</p>\n{% if x %}\n<p>b</p>\n{% endif %}\n{{ button(u, 'v') }}\n",
            "a\n\n{% if x %}\nb\n\n{% endif %}\n{{ button(u, 'v') }}\n",
        ),
        ("<p>a{% if x %} b{% endif %}</p><p>c</p>", "a{% if x %} b{% endif +%}\n\nc\n"),
    ],
)
def test_html_becomes_text(html: str, text: str) -> None:
    assert text_of_html(html) == text


@pytest.mark.parametrize("shown", [True, False])
def test_what_is_derived_renders_without_holes(shown: Any) -> None:
    source = (
        "<h1>T</h1>\n<p>a{% if x %} b{% endif %}</p>\n{% if x %}\n<p>c</p>\n{% endif %}\n"
        "<ul>\n{% for i in [1, 2] %}\n<li>{{ i }}</li>\n{% endfor %}\n</ul>\n<p>e</p>"
    )

    expected = "T\n\na b\n\nc\n\n* 1\n* 2\n\ne" if shown else "T\n\na\n\n* 1\n* 2\n\ne"
    assert text_of(text_of_html(source), x=shown) == expected
