"""Texts in a version's language: escaped like data, counted as the language counts, in the order it wants."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.render import Renderer, RenderingError
from tests.notifications.templates import rendered, template


def said(source: str, messages: Any = (), locale: str = "de", **data: Any) -> tuple[str, str]:
    mail = rendered(data, html=source, text=source, locale=locale, messages=messages)
    return mail.html, mail.text


def test_a_text_is_said_in_the_language_of_its_version() -> None:
    assert said("{{ _('Yes') }}", (("Yes", ("Ja",)),)) == ("Ja", "Ja")
    assert said("{% trans %}Yes{% endtrans %}", (("Yes", ("Ja",)),)) == ("Ja", "Ja")
    assert said("{% set a = _('Yes') %}{{ a ~ '!' }}{{ x or _('Yes') }}", (("Yes", ("Ja",)),), x="") == ("Ja!Ja",) * 2


def test_a_text_that_is_not_translated_is_said_as_it_is() -> None:
    assert said("{{ _('Yes') }}{{ ngettext('one', 'many', 2) }}") == ("Yesmany", "Yesmany")


def test_values_are_put_where_the_language_wants_them_and_escaped_in_html() -> None:
    messages = (("%(a)s before %(b)s", ("vor %(b)s: %(a)s, %(b)s",)),)

    html, text = said("{{ _('%(a)s before %(b)s', a=x, b=y) }}", messages, x="<x>", y="&")

    assert text == "vor &: <x>, &"
    assert html == "vor &amp;: &lt;x&gt;, &amp;"


def test_a_translation_is_plain_text_and_never_markup() -> None:
    messages = (("Yes", ("<script>&",)), ("Hi %(x)s", ("<b>%(x)s",)))

    html, text = said("{{ _('Yes') }}{{ _('Hi %(x)s', x=1) }}", messages)

    assert text == "<script>&<b>1"
    assert html == "&lt;script&gt;&amp;&lt;b&gt;1"


def test_a_percent_sign_is_written_twice() -> None:
    assert said("{{ _('100%% of %(x)s') }}".replace("')", "', x='%s')")) == ("100% of %s", "100% of %s")
    assert said("{% trans %}100% sure{% endtrans %}") == ("100% sure", "100% sure")
    assert said("{{ _('100%%') }}", (("100%%", ("%%100",)),)) == ("%100", "%100")


@pytest.mark.parametrize(
    ("locale", "forms", "shown"),
    [
        ("de", ("%(n)s Ticket", "%(n)s Tickets"), ["0 Tickets", "1 Ticket", "2 Tickets", "5 Tickets", "22 Tickets"]),
        ("fr", ("%(n)s ticket", "%(n)s tickets"), ["0 ticket", "1 ticket", "2 tickets", "5 tickets", "22 tickets"]),
        ("pl", ("%(n)s A", "%(n)s B", "%(n)s C"), ["0 C", "1 A", "2 B", "5 C", "22 B"]),
        ("pt-BR", ("%(n)s A", "%(n)s B"), ["0 A", "1 A", "2 B", "5 B", "22 B"]),
    ],
)
def test_things_are_counted_as_the_language_counts(locale: str, forms: tuple[str, ...], shown: list[str]) -> None:
    source = "{% trans n=n %}{{ n }} ticket{% pluralize %}{{ n }} tickets{% endtrans %}"
    messages = (("%(n)s ticket", forms),)

    assert [said(source, messages, locale, n=n)[0] for n in (0, 1, 2, 5, 22)] == shown


def test_none_is_nothing_and_a_number_is_a_number_in_a_text() -> None:
    assert said("{{ _('%(a)s-%(b)s', a=x, b=n) }}", x=None, n=3) == ("-3", "-3")
    assert said("{% trans %}{{ x }} {{ n }}{% endtrans %}", x="a", n=1.5) == ("a 1.5", "a 1.5")


@pytest.mark.parametrize(
    ("source", "messages", "problem"),
    [
        ("{{ _(x) }}", (), "written out"),
        ("{{ _('<b>') }}", (), "markup has no place"),
        ("{% trans %}<b>x</b>{% endtrans %}", (), "markup has no place"),
        ("{{ _('%(a)s') }}", (), "needs a value for 'a'"),
        ("{{ _('50 %') }}", (), "'%%'"),
        ("{{ _('%(a)s', a=missing) }}", (), "'missing' is undefined"),
        ("{{ _('%(a)s', a=[1]) }}", (), "cannot be written out"),
        ("{{ _('Yes') }}", (("Yes", ("%(password)s",)),), "placeholder of its own"),
        ("{{ _('Yes') }}", (("Yes", ("x" * 10_001,)),), "10000 characters"),
        ("{{ ngettext('a', 'b', 1) }}", (("a", ("only one",)),), "needs 2 forms"),
        ("{{ ngettext('a', 'b', '1') }}", (), "whole number"),
        ("{{ ngettext('a', 'b') }}", (), "takes two texts and a number"),
    ],
)
def test_a_text_that_cannot_be_said_is_an_error(source: str, messages: Any, problem: str) -> None:
    with pytest.raises(RenderingError, match=problem):
        said(source, messages, x="a")


def test_a_bad_translation_is_found_when_it_is_checked() -> None:
    with pytest.raises(RenderingError, match=r"mine/de html texts: the translation of 'Yes'"):
        Renderer().check(template(html="{{ _('Yes') }}", locale="de", messages=(("Yes", ("%(x)s",)),)))


def test_known_names_of_fields_and_states_are_said_in_the_language_and_others_as_they_are() -> None:
    messages = (("In progress", ("In Bearbeitung",)), ("Yes", ("Ja",)), ("Status", ("Stand",)))

    assert said("{{ 'in_progress'|label }} {{ 'rack_no'|label }}", messages)[1] == "In Bearbeitung Rack no"
    assert said("{{ 'in_progress'|brief }} {{ true|brief }} {{ 'rack_no'|brief }}", messages)[1] == (
        "In Bearbeitung Ja rack_no"
    )
    assert said("{{ 'STATUS'|brief }}")[1] == "Status"


def test_a_template_written_in_a_language_babel_does_not_know_is_counted_as_english() -> None:
    assert said("{{ ngettext('a', 'b', 1) }}", locale="tlh-x")[1] == "a"
