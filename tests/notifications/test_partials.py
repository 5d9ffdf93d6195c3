"""Partials: written in where they are used, with the user's values, and nothing that could run away."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.render import RenderingError
from tests.notifications.templates import CONTENT, rendered

LAYOUT = """
{% macro bold(x) %}<b>{{ x }}</b>{% endmacro %}
{% macro link(url, text="go") %}<a href="{{ url }}">{{ text }}</a>{{ bold(text) }}{% endmacro %}
{% macro box(kind) %}<div class="{{ kind }}">{{ caller() }}</div>{% endmacro %}
{% macro hello() %}{% if recipient.name %}Hello {{ recipient.name }}{% else %}Hello{% endif %}{% endmacro %}
""".replace("\n", "")


def html_of(source: str, layout: str = LAYOUT + CONTENT, **data: Any) -> str:
    return rendered(data, html=source, layout_html=layout).html


def refused(source: str, layout: str = LAYOUT + CONTENT, **data: Any) -> str:
    with pytest.raises(RenderingError) as error:
        html_of(source, layout, **data)
    return str(error.value)


def test_a_partial_is_written_in_with_the_users_values() -> None:
    assert html_of("a {{ bold(x) }} b", x="<") == "a <b>&lt;</b> b"
    assert html_of("{{ link(x) }}", x="u") == '<a href="u">go</a><b>go</b>'
    assert html_of("{{ link(text=x, url='v') }}", x="t") == '<a href="v">t</a><b>t</b>'


def test_a_partial_goes_around_something() -> None:
    assert html_of("{% call box('a') %}x{% call box('b') %}{{ bold(1) }}{% endcall %}{% endcall %}") == (
        '<div class="a">x<div class="b"><b>1</b></div></div>'
    )


def test_a_partial_is_used_in_a_loop_a_condition_a_block_and_the_layout() -> None:
    layout = LAYOUT + "{{ bold('l') }}{% block preheader %}{% endblock %}" + CONTENT
    source = "{% block preheader %}{{ bold('p') }}{% endblock %}{% for i in l %}{{ bold(i) }}{% endfor %}"

    assert html_of(source, layout, l=[1, 2]) == "<b>l</b><b>p</b><b>1</b><b>2</b>"


def test_a_partial_sees_the_data_and_its_own_texts_are_said() -> None:
    layout = "{% macro yes() %}{{ _('Yes') }}{% endmacro %}" + CONTENT

    assert html_of("{{ hello() }}", recipient={"name": "A"}) == "Hello A"
    assert rendered(html="{{ yes() }}", layout_html=layout, messages=(("Yes", ("Ja",)),)).html == "Ja"


def test_a_value_named_like_a_parameter_is_the_users() -> None:
    assert html_of("{{ link(text, x) }}", text="<u>", x="t") == '<a href="&lt;u&gt;">t</a><b>t</b>'


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ bold() }}", "'bold' needs x"),
        ("{{ bold(1, 2) }}", "'bold' takes x"),
        ("{{ bold(1, x=2) }}", "'bold' takes x"),
        ("{{ bold(y=2) }}", "'bold' takes x"),
        ("{{ bold(*[1]) }}", "plain values"),
        ("{{ hello(1) }}", "'hello' takes nothing"),
        ("{{ bold(1) ~ 'x' }}", "braces of its own"),
        ("{{ bold(bold(1)) }}", "braces of its own"),
        ("{% set x = bold(1) %}", "braces of its own"),
        ("{{ bold }}", "'bold' is undefined"),
        ("{{ other() }}", "can be called"),
        ("{{ caller() }}", "can be called"),
        ("{% call other() %}{% endcall %}", "can be called"),
        ("{% call bold(1) %}x{% endcall %}", "no place for a body"),
        ("{% call(a) box('x') %}x{% endcall %}", "without a name"),
        ("{% macro m() %}{% endmacro %}", "'Macro' is not available"),
    ],
)
def test_a_partial_that_is_used_otherwise_is_refused(source: str, problem: str) -> None:
    assert problem in refused(source)


@pytest.mark.parametrize(
    ("layout", "problem"),
    [
        ("{% macro a() %}{{ a() }}{% endmacro %}", "before it only"),
        ("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}", "before it only"),
        ("{% macro a() %}{% for i in [1] %}{% endfor %}{% endmacro %}", "no 'For' in it"),
        ("{% macro a() %}{% set x = 1 %}{% endmacro %}", "no 'Assign' in it"),
        ("{% macro a() %}{% macro b() %}{% endmacro %}{% endmacro %}", "no 'Macro' in it"),
        ("{% macro a() %}{{ caller() }}{{ caller() }}{% endmacro %}", "one caller()"),
        ("{% if x %}{% macro a() %}{% endmacro %}{% endif %}", "top of a layout"),
    ],
)
def test_a_layout_cannot_make_a_partial_that_calls_itself_or_binds_names(layout: str, problem: str) -> None:
    assert problem in refused("{{ a() }}", layout + CONTENT)


def test_partials_that_double_each_other_are_refused_before_they_are_large() -> None:
    doubling = "{% macro p0() %}xxxxxxxxxx{{ y }}{% endmacro %}" + "".join(
        f"{{% macro p{n} () %}}{{{{ p{n - 1}() }}}}{{{{ p{n - 1}() }}}}{{% endmacro %}}" for n in range(1, 40)
    )

    assert "with its partials" in refused("{{ p39() }}", doubling + CONTENT, y=1)


def test_a_mistake_in_a_partial_is_shown_where_it_is_used() -> None:
    assert refused("\n\n{{ hello() }}").startswith("mine/en html:3: 'recipient' is undefined")
