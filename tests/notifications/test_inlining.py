"""Styles become attributes, and nothing else of a template changes: its Jinja and its tags stay as they are."""

from __future__ import annotations

import re

import pytest

from notifications.inlining import inline_document, inline_fragment, inline_partials
from notifications.template_rules import RefusedError

CSS = "p { color: red; } td { padding: 1px } .b { margin: 0 } tr { border: 0 }"


def test_tags_get_the_styles_of_their_name_and_class() -> None:
    assert inline_fragment('<p class="b">x</p>', CSS) == '<p class="b" style="color: red;margin: 0;">x</p>'


def test_a_tags_own_style_is_kept_and_wins_even_where_it_is_data() -> None:
    inlined = inline_fragment('<p style="color: {{ brand.color }}">x</p>', CSS)

    assert inlined == '<p style="color: {{ brand.color }}">x</p>'


@pytest.mark.parametrize(
    "source",
    [
        '{% if a %}<p>{{ x|e }}</p>{% else %}{# no #}{% endif %}<a href="{{ u }}?a=1&amp;b={{ v }}">{{ "<p>" }}</a>',
        "<table>{% for r in rows %}<tr><td>{{ r }}</td></tr>{% endfor %}</table>",
        "{% call table() %}\n{{ row(_('A > \"b\"'), x) }}\n{% endcall %}\n",
        "{% trans n=n %}<p>{{ n }}{% pluralize %}ü{% endtrans %}<p>y</p>",
        "<!--[if mso]><v:rect href=\"{{ u }}\"></v:rect><![endif]--><p>&nbsp;{{ '%}' }}</p>",
        "<ul>{% for i in x %}<li>{{ i }}</li>{% endfor %}</ul>{% raw %}{{ no }}{% endraw %}<p>z</p>",
        "<p>a<br>b</p>",
    ],
)
def test_jinja_and_markup_stay_as_they_are(source: str) -> None:
    inlined = inline_fragment(source, CSS)

    assert re.sub(r' style="[^"]*"', "", inlined) == source
    assert inlined.count("style=") >= source.count("<p>y") + source.count("<td>")


def test_rows_outside_a_table_stay_rows() -> None:
    assert inline_fragment("<tr><td>{{ x }}</td></tr>", CSS) == (
        '<tr style="border: 0;"><td style="padding: 1px;">{{ x }}</td></tr>'
    )


def test_what_is_not_ascii_becomes_a_reference_but_not_in_jinja() -> None:
    assert inline_fragment("<b>&rarr; ü {{ _('ü') }}</b>", "") == "<b>&#8594; &#252; {{ _('ü') }}</b>"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("<p>\n<div>x</div></p>", 2),
        ("a\n{% if x %}<div>{% endif %}</p>", 2),
        ("<table>\n<p>x</p></table>", 1),
        ("<b>\nx", 2),
        ("\n<p {{ x }}>y</p>", 2),
        ("<p class={{ x }}>y</p>", 1),
        ("\n{% if %}<p", 2),
    ],
)
def test_html_that_a_parser_reads_otherwise_is_refused_with_its_line(source: str, line: int) -> None:
    with pytest.raises(RefusedError) as refused:
        inline_fragment(source, CSS)

    assert refused.value.line == line


def test_a_text_that_looks_like_a_mark_is_refused() -> None:
    with pytest.raises(RefusedError, match="something else"):
        inline_fragment("xjinja0x {{ x }}", CSS)


def test_a_layout_keeps_its_own_style_sheet() -> None:
    sheet = "<style>\n@media (max-width: 600px) { p { color: blue !important } }\n</style>"
    source = f"<!DOCTYPE html><html><head>{sheet}<title>{{{{ t }}}}</title></head><body><p>x</p></body></html>"

    inlined = inline_document(source, CSS)

    assert sheet in inlined
    assert "<title>{{ t }}</title>" in inlined
    assert '<p style="color: red;">x</p>' in inlined


def test_each_partial_is_inlined() -> None:
    source = "{% macro a(x) %}\n<p>{{ x }}</p>\n{%- endmacro %}\n{% macro b() %}<tr><td>y</td></tr>{% endmacro %}\n"

    assert inline_partials(source, CSS) == (
        '{% macro a(x) %}\n<p style="color: red;">{{ x }}</p>\n{%- endmacro %}\n'
        '{% macro b() %}<tr style="border: 0;"><td style="padding: 1px;">y</td></tr>{% endmacro %}\n'
    )
