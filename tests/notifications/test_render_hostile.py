"""Templates and data that try to get out, to read more, or never to end."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from notifications import render, sandbox
from notifications.render import RenderingError
from tests.notifications.templates import SECRET, refusal, rendered

# Templates that want more than their data

ESCAPES = [
    "{{ x.__class__ }}",
    "{{ x['__class__'] }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ x|attr('__class__') }}",
    "{{ [x]|map(attribute='__class__')|list }}",
    "{{ '{0.__class__}'.format(x) }}",
    "{{ '{:>999999999}'.format(1) }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '%s' % x }}",
    "{{ x.upper() }}",
    "{{ x['upper']() }}",
    "{{ d.clear() }}",
    "{{ d.pop('a') }}",
    "{{ self }}",
    "{{ self.content() }}",
    "{{ self['content'] }}",
    "{{ super() }}",
    "{{ loop }}",
    "{{ range }}",
    "{{ range.__init__ }}",
    "{{ range(*[1]) }}",
    "{{ lipsum(n=99999) }}",
    "{{ cycler('a', 'b') }}",
    "{{ joiner() }}",
    "{{ namespace() }}",
    "{{ dict(a=1) }}",
    "{{ x() }}",
    "{{ brand.update({}) }}",
    "{{ {'a': 1} }}",
    "{{ d }}",
    "{{ [1, 2] }}",
    "{{ x|safe }}",
    "{{ x|tojson }}",
    "{{ x|pprint }}",
    "{{ x|xmlattr }}",
    "{% for i in [1] %}{{ loop.cycle('a') }}{% endfor %}",
    "{% for i in [1] %}{{ loop.changed(1) }}{% endfor %}",
    "{% for i in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% for i in [1] %}{{ loop._iterator }}{% endfor %}",
    "{% include 'layout' %}",
    "{% import 'layout' as l %}",
    "{% from 'layout' import a %}",
    "{% extends 'layout' %}",
    "{% block other %}{% endblock %}",
    "{% block content %}{% endblock %}",
    "{% block reason %}{% endblock %}{% block reason %}{% endblock %}",
    "{% for i in [1] %}{% block reason %}{% endblock %}{% endfor %}",
    "{% macro m() %}{% endmacro %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% call x() %}{% endcall %}",
    "{% filter upper %}a{% endfilter %}",
    "{% set a %}b{% endset %}",
    "{% set a.b = 1 %}",
    "{% with a = 1 %}{% endwith %}",
    "{% autoescape false %}{{ x }}{% endautoescape %}",
    "{% do x %}",
    "{{ _(x) }}",
    "{{ _('a' ~ x) }}",
    "{{ _(*['a']) }}",
    "{{ _('%(x)999999999s', x=1) }}",
    "{{ _('%s') }}",
    "{{ _('%(x)s') }}",
    "{{ _('%(a.__class__)s', a=x) }}",
    "{{ _ }}",
    "{{ _.__globals__ }}",
    "{{ gettext('a', 'b') }}",
    "{{ ngettext('a', 'b', 'c') }}",
    "{{ ngettext('a', 'b', x) }}",
    "{% trans count=x %}one{% pluralize %}{{ count }}{% endtrans %}",
    "{% set _0123456789abcdef = x %}{{ _0123456789abcdef }}",
    "{% for _0123456789abcdef in [x] %}{{ _0123456789abcdef }}{% endfor %}",
    "{{ _words }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% call x() %}{% endcall %}",
    "{{ caller() }}",
    "{{ x|date('%9999d') }}",
    "{{ d|money('EUR') }}",
    "{% debug %}",
    "{{ x",
    "{{ x is filter }}",
    "{{ x is callable }}",
    "{{ x is odd(1) }}",
    "{{ x|nosuch }}",
    "{{ missing }}",
    "{{ x.missing }}",
    "{{ d.a.b.c }}",
    "{{ d['nosuch'] }}",
    "{{ n.a }}",
    "{{ 1 / 0 }}",
    "{{ x + 1 }}",
    "{{ [1] + [2] }}",
    "{{ [1] * 2 }}",
    "{{ x * x }}",
    "{{ d|join }}",
    "{{ d|label }}",
    "{{ missing|label }}",
    "{{ missing|brief }}",
    "{{ missing ~ 'a' }}",
    "{{ d ~ 'a' }}",
    "{{ n|first }}",
    "{{ []|first }}",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_a_template_that_reaches_beyond_its_data_is_an_error_that_quotes_nothing(source: str) -> None:
    error = refusal(source, x=SECRET, d={"a": SECRET}, n=None)

    assert error.template.startswith("mine/en text")
    assert SECRET not in str(error)


# Templates that never end, or grow without end

BOMBS = [
    "{{ 'x' * 2000000000 }}",
    "{{ 2000000000 * 'x' }}",
    "{{ [1] * 2000000000 }}",
    "{{ 10 ** (10 ** 10) }}",
    "{{ 2 ** 65 }}",
    "{{ 9 ** -1000000000 }}",
    "{% set a = 2 ** 60 %}{% set b = a * a %}{% set c = b * b %}{{ c }}",
    "{{ 'x'|center(2000000000) }}",
    "{{ 'x'.ljust(2000000000) }}",
    "{{ 'x'|indent(2000000000) }}",
    "{{ 'x'|wordwrap(1)|wordwrap(1) }}",
    "{{ '%2000000000s'|format(1) }}",
    "{{ [1]|batch(2000000000, 'x')|list }}",
    "{{ [1]|slice(2000000000)|list }}",
    "{{ 5|round(-1000000000) }}",
    "{{ 5|round(1000000000) }}",
    "{{ range(100000) }}",
    "{{ range(10 ** 30) }}",
    "{% for a in range(100000) %}{% endfor %}",
    "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
    "{% for a in range(1000) %}{% for b in range(1000) %}x{% endfor %}{% endfor %}",
    "{% for a in [1] %}{% for b in [1] %}{% for c in [1] %}{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in range(1000) if a > 1000 %}{% endfor %}",
    "{% for a in [[1]] recursive %}{{ loop(a) }}{% endfor %}",
    "{% for a in range(1000) %}{{ 'x' * 9000 }}{% endfor %}",
    "{% set x = 'x' * 10000 %}" + "{% set x = x ~ x %}" * 40 + "{{ x|length }}",
    "{% set x = 'x' * 10000 %}" + "{% set x = x + x %}" * 40 + "{{ x|length }}",
    "{% set x = 'x' * 10000 %}" + "{% set x = [x, x]|join %}" * 40 + "{{ x|length }}",
    "{% set x = 'x' * 10000 %}" + "{% set x = x|replace('x', 'xx') %}" * 40 + "{{ x|length }}",
    "{% set x = 'x' %}" + "{% set x = [x, x] %}" * 40 + "{{ x|length }}",
    "{{ " + "x ~ " * 200 + "x }}",
    "{% set y = huge %}",
    "{{ big ~ big }}",
    "{{ big + big }}",
    "{{ big|replace('x', 'xx') }}",
    "{{ [big, big]|join }}",
    "{{ big }}{{ big }}{{ big }}",
    "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
    "{{ " + "1 + " * 500 + "1 }}",
    "{{ " + "not " * 500 + "1 }}",
    "{{ " + "[" * 100 + "]" * 100 + " }}",
    "{% if x %}" * 70 + "{% endif %}" * 70,
    "{{ x }}" * 4000,
    "x" * 200_001,
    "{{ " + "9" * 5000 + " }}",
    "{{ _('" + "%(a)s" * 1000 + "', a=x) }}",
    "{{ big|replace('xx', '\\n\\n')|quoted }}",
]


@pytest.mark.parametrize("source", BOMBS, ids=range(len(BOMBS)))
def test_a_template_bomb_is_an_error(source: str) -> None:
    refusal(source, x="x" * 2_000, big="x" * 200_000, huge="x" * 300_000)


def test_the_output_of_all_parts_counts_together() -> None:
    data = {"x": "x" * 200_000}

    assert len(rendered(data, html="{{ x }}", text="{{ x }}").html) == 200_000
    with pytest.raises(RenderingError, match="524288 bytes") as refused:
        rendered(data, html="{{ x }}{{ x }}", text="{{ x }}")
    assert refused.value.template == "mine/en text"


def test_the_output_is_counted_in_bytes() -> None:
    assert "bytes" in refusal("{{ x }}", x="ü" * 300_000).message


def test_the_turns_of_a_loop_count_even_when_they_write_nothing() -> None:
    nested = "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}"

    assert f"{render.MAX_CHUNKS} pieces" in refusal(nested).message


@given(st.text(alphabet="{}%#-~|()[].,'\" \nabcx012*+=<>", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_source_renders_or_is_a_rendering_error(source: str) -> None:
    try:
        rendered({"x": SECRET, "a": {"b": 1}, "c": [1]}, html=source, text=source)
    except RenderingError as error:
        message = str(error)
    else:
        message = ""
    assert SECRET not in message


# Data that is not plain


class Account:
    """Something with a method no template may call."""

    def __init__(self) -> None:
        self.is_deleted = False

    def delete(self) -> None:
        self.is_deleted = True


def test_an_object_in_the_data_is_refused_before_anything_runs() -> None:
    account = Account()

    error = refusal("{{ account.delete() }}{{ account.is_deleted }}", account=account)
    unused = refusal("unused", account=account)

    assert not account.is_deleted
    assert unused.message == "the data holds a value of type Account, which is not plain data"
    assert error.template == "mine/en text"


@pytest.mark.parametrize(
    "value",
    [Decimal(1), (1, 2), {1}, b"x", Markup("<b>"), {1: 2}, {Markup("a"): 1}, [{"a": [object()]}], object, 1j],
    ids=repr,
)
def test_only_what_json_can_hold_is_data(value: Any) -> None:
    assert "the data h" in refusal("t", x=value).message


def test_data_that_is_nested_too_deep_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    deep = json.loads("[" * sandbox.MAX_DATA_DEPTH * 2 + "]" * sandbox.MAX_DATA_DEPTH * 2)

    assert "deep" in refusal("t", x=endless).message
    assert "deep" in refusal("t", x=deep).message


def test_a_lone_surrogate_is_an_error_and_not_a_poisoned_mail() -> None:
    assert refusal("{{ x }}", x="\ud800").message == "UnicodeEncodeError while rendering"
