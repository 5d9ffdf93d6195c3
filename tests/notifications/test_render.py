"""Rendering: escaping, one-line subjects, what an error says, and what is kept between mails."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications import render, template_rules
from notifications.render import Rendered, Renderer, RenderingError
from tests.notifications.templates import SECRET, rendered, template, text_of

# What a mail is made of


def test_html_is_escaped_and_subject_and_text_are_not() -> None:
    mail = rendered({"x": "<b>&'\""}, subject="{{ x }}", html="{{ x }}", text="{{ x }}")

    assert mail == Rendered(subject="<b>&'\"", html="&lt;b&gt;&amp;&#39;&#34;", text="<b>&'\"")


@pytest.mark.parametrize(
    "source",
    [
        "{{ x }}",
        "{{ x ~ '' }}",
        "{{ '' ~ x|e ~ x }}",
        "{% set y = x %}{{ y }}",
        "{{ x + x }}",
        "{{ x * 2 }}",
        "{{ x|upper }}",
        "{{ x|replace('&', '<') }}",
        "{{ x|e|replace('&lt;', '<') }}",
        "{{ [x, x|e]|join('<') }}",
        "{{ x|brief }}{{ x|label }}{{ x|date }}{{ x|datetime }}",
        "{{ x|truncate(9, True, '<') }}",
        "{{ x|default('<') }}{{ (x|e)[:4] }}{{ x|e|first }}",
        "{{ (x|e)[:3] ~ '<script>' }}",
        "{{ x|e|lower ~ x }}",
        "{{ (x|e) + '<script>' }}",
        "{% if x is string %}{% for c in x %}{{ c }}{% endfor %}{% endif %}",
    ],
)
def test_data_never_becomes_markup(source: str) -> None:
    html = rendered({"x": "<script>alert(1)</script>"}, html=source).html

    assert "<" not in html


def test_a_body_is_set_into_its_layout() -> None:
    layout = "[{% block preheader %}-{% endblock %}|{% block content %}{% endblock %}|{% block reason %}{% endblock %}]"
    body = "{% block preheader %}{{ x }}{% endblock %}\nbefore {{ x }}\n{% block reason %}r{% endblock %}\nafter"

    assert rendered({"x": "<"}, html=body, layout_html=layout).html.split() == ["[&lt;|before", "&lt;", "after|r]"]
    assert rendered(html="only", layout_html=layout).html == "[-|only|]"


def test_nothing_is_written_for_none() -> None:
    assert text_of("a{{ x }}b", x=None) == "ab"


def test_templates_see_the_locale_and_the_brand_and_a_tenants_brand_wins() -> None:
    assert text_of("{{ locale }} {{ brand.color }}") == "en #1d4ed8"
    assert text_of("{{ brand.color }}", brand={"color": "#fff"}) == "#fff"


def test_a_key_named_like_a_method_is_a_key() -> None:
    assert text_of("{{ x.items }}{{ x.get }}{{ x['keys'] }}", x={"items": 1, "get": 2, "keys": 3}) == "123"


def test_what_templates_need_every_day_works() -> None:
    source = (
        "{% for name, value in x|items %}{{ loop.index }}{{ name }}={{ value }}{{ ', ' if not loop.last }}{% endfor %}"
        "{% set n = 2 + 3 * 4 %} {{ n }} {{ 2 ** 10 }} {{ 7 % 4 }} {{ '-' * 3 }} {{ 'a' + 'b' ~ 1 }}"
        " {{ range(3)|length }}"
        " {{ 1.256|round(2) }} {{ [1, 'a']|join('/') }} {{ 'a_b'|replace('_', ' ') }} {{ missing|default('none') }}"
    )

    assert text_of(source, x={"a": 1, "b": 2}) == "1a=1, 2b=2 14 1024 3 --- ab1 3 1.26 1/a a b none"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        ("", "-"),
        (True, "Yes"),
        (False, "No"),
        (7, "7"),
        (["a", None, 1], "a, -, 1"),
        ({"a": 1}, "…"),
        ("two\nlines", "two lines"),
        ("x" * 200, "x" * 119 + "…"),
    ],
)
def test_any_value_can_be_shown_in_brief(value: Any, shown: str) -> None:
    assert text_of("{{ x|brief }}", x=value) == shown


@pytest.mark.parametrize(
    ("value", "day", "minute"),
    [
        ("2026-12-01", "Dec 1, 2026", "Dec 1, 2026"),
        ("2026-12-01T23:30:00-02:00", "Dec 2, 2026", "Dec 2, 2026, 1:30 AM UTC"),
        ("2026-12-01T09:30:15Z", "Dec 1, 2026", "Dec 1, 2026, 9:30 AM UTC"),
        ("soon", "soon", "soon"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_times_are_shown_in_utc_and_other_texts_as_they_are(value: str, day: str, minute: str) -> None:
    assert text_of("{{ x|date }} {{ x|datetime }}", x=value) == f"{day} {minute}"


# The subject is one line


@pytest.mark.parametrize(
    ("title", "subject"),
    [
        ("a\r\nBcc: evil@example.com", "a Bcc: evil@example.com"),
        ("a\nb\x00c\x0bd\x85e\u2028f", "a b c d e f"),
        ("a\u202egpj.exe", "a gpj.exe"),
        ("  a \t  b  ", "a b"),
        ("=?utf-8?q?a=0ABcc=3A_e=40x?=", "=?utf-8?q?a=0ABcc=3A_e=40x?="),
        ("x" * 1000, "x" * 400),
    ],
)
def test_a_subject_is_one_line_of_at_most_400_characters(title: str, subject: str) -> None:
    assert rendered({"title": title}, subject="\n{{ title }}\n").subject == subject


@given(st.text())
@settings(deadline=None)
def test_no_title_brings_a_second_line_into_the_subject(title: str) -> None:
    data = {"title": title.encode("utf-8", "ignore").decode()}

    subject = rendered(data, subject="{{ title }}").subject

    assert len(subject.splitlines()) <= 1
    assert len(subject) <= 400
    assert not any(ord(character) < 32 or ord(character) == 127 for character in subject)


# What an error says


def failure(**sources: str) -> RenderingError:
    with pytest.raises(RenderingError) as failed:
        rendered({"x": SECRET, "colors": {"red": "#f00"}, "l": []}, **sources)
    return failed.value


@pytest.mark.parametrize(
    ("sources", "place"),
    [
        ({"subject": "{{ missing }}"}, "mine/en subject:1: 'missing' is undefined"),
        ({"html": "\n\n{{ missing }}"}, "mine/en html:3: 'missing' is undefined"),
        ({"text": "\n{{ x.name }}"}, "mine/en text:2: there is no 'name' here"),
        ({"text": "a\nb\n{% if %}"}, "mine/en text:3: Expected an expression, got 'end of statement block'"),
        ({"html": "\n{{ x|safe }}"}, "mine/en html:2: there is no filter 'safe'"),
        ({"html": "{{ x is callable }}"}, "mine/en html:1: there is no test 'callable'"),
        ({"html": "{{ x.y() }}"}, "mine/en html:1: only range(…), _(…) and partials can be called in templates"),
        ({"html": "\n{% include 'a' %}"}, "mine/en html:2: 'Include' is not available in templates"),
        ({"html": "{{ {} }}"}, "mine/en html:1: 'Dict' is not available in templates"),
        ({"layout_html": "\n{{ missing }}"}, "mine/en html layout:2: 'missing' is undefined"),
        ({"layout_text": "\n\n{% macro %}"}, "mine/en text layout:3: "),
        ({"text": "{{ colors[x] }}"}, "mine/en text:1: there is no such item"),
        ({"text": "{{ x|int(SECRET) / l|length }}"}, "mine/en text:1: 'SECRET' is undefined"),
        ({"text": "\n\n\n{{ 1 / l|length }}"}, "mine/en text:4: ZeroDivisionError while rendering"),
    ],
)
def test_an_error_names_template_part_line_and_cause(sources: dict[str, str], place: str) -> None:
    assert str(failure(**sources)).startswith(place)


@pytest.mark.parametrize("source", ["{{ colors[x] }}", "{{ l[x] }}", "{{ 1 + x }}", "{{ range(x) }}", "{{ x ** 2 }}"])
def test_neither_an_error_nor_its_traceback_holds_a_value(source: str) -> None:
    error = failure(text=source)

    assert SECRET not in "".join(traceback.format_exception(error))


# Compiled once


def test_a_version_is_compiled_once_and_the_oldest_is_forgotten() -> None:
    renderer = Renderer()
    first = template(text="first")
    renderer.render(first, {})
    kept = renderer._versions[first]

    renderer.render(first, {})
    assert renderer._versions[first] is kept

    for number in range(render._VERSIONS_KEPT):
        renderer.check(template(text=f"{number}"))
    assert len(renderer._versions) == render._VERSIONS_KEPT
    assert len(renderer._compiled) == render._COMPILED_KEPT
    assert first not in renderer._versions
    assert renderer.render(first, {}).text == "first"


def test_the_languages_of_a_template_are_compiled_once() -> None:
    renderer = Renderer()
    english, german = template(text="{{ _('Yes') }}"), template(text="{{ _('Yes') }}", messages=(("Yes", ("Ja",)),))

    assert [renderer.render(one, {}).text for one in (english, german)] == ["Yes", "Ja"]

    [theirs, ours] = [renderer._versions[one][2] for one in (english, german)]
    assert (theirs.entry, theirs.body) == (ours.entry, ours.body)


def test_a_template_can_be_checked_without_data() -> None:
    Renderer().check(template(text="{{ anything.at.all }}"))
    with pytest.raises(RenderingError):
        Renderer().check(template(text="{{ anything|safe }}"))


def test_one_mail_leaves_nothing_for_the_next() -> None:
    renderer = Renderer()
    setter = template(text="{% set seen = x %}{{ seen }}", html="{{ brand.color }}")
    asker = template(text="{{ seen is defined }}", html="{{ brand.color }}")

    renderer.render(setter, {"x": "a", "brand": {"color": "red"}})

    assert renderer.render(asker, {}) == Rendered(subject="s", html="#1d4ed8", text="False")


def test_the_limits_are_those_of_the_documentation() -> None:
    assert (render.MAX_OUTPUT, render.MAX_SUBJECT) == (512 * 1024, 400)
    assert template_rules.MAX_LOOP_NESTING == 2
