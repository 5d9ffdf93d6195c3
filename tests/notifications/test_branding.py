"""A tenant's look: what it may be, and that nothing else ever reaches a mail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.branding import DEFAULT_BRAND, BrandingError, brand_of, text_color_on, validated
from notifications.render import Renderer
from tests.notifications.templates import template


def test_a_branding_is_kept_in_its_normal_form_without_what_is_empty() -> None:
    given = {"name": " Acme ", "color": "#FFAA00", "logo_url": "", "url": "https://a.example/x?y=1#z"}

    assert validated(given) == {"name": "Acme", "color": "#ffaa00", "url": "https://a.example/x?y=1#z"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("color", "red"),
        ("color", "#fff"),
        ("color", "#12345g"),
        ("color", "#123456;background:url(x)"),
        ("logo_url", "http://a.example/logo.png"),
        ("logo_url", "javascript:alert(1)"),
        ("logo_url", "https:///logo.png"),
        ("logo_url", "https://user@a.example/logo.png"),
        ("logo_url", "https://a.example/<b>"),
        ("logo_url", 'https://a.example/"onload="x'),
        ("url", "https://a.example/ b"),
        ("url", "https://[::1/"),
        ("url", "https://a.example/" + "x" * 2000),
        ("name", "two\nlines"),
        ("name", "x" * 101),
        ("address", "x" * 501),
        ("on_color", "#000000"),
        ("css", "p {}"),
    ],
)
def test_what_does_not_belong_in_a_branding_is_refused_and_left_out_of_mails(field: str, value: str) -> None:
    with pytest.raises(BrandingError) as refused:
        validated({field: value})

    assert value not in str(refused.value)
    assert brand_of({field: value}) == dict(DEFAULT_BRAND)


def test_a_stored_value_that_is_no_text_is_left_out() -> None:
    assert brand_of({"name": 7}) == dict(DEFAULT_BRAND)  # what a hand at the database may leave


@pytest.mark.parametrize(
    ("color", "text"),
    [
        ("#ffffff", "#111827"),
        ("#000000", "#ffffff"),
        ("#1d4ed8", "#ffffff"),
        ("#fde047", "#111827"),
        ("#16a34a", "#111827"),
        ("#dc2626", "#ffffff"),
    ],
)
def test_text_on_the_colour_can_be_read(color: str, text: str) -> None:
    assert text_color_on(color) == text
    assert brand_of({"color": color})["on_color"] == text


def contrast(one: str, other: str) -> float:
    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@given(st.integers(0, 0xFFFFFF))
def test_no_colour_makes_its_button_unreadable(color: int) -> None:
    # 4.18 is what white and near-black reach at worst; large text needs 3 (WCAG 2.2, 1.4.3).
    assert contrast(f"#{color:06x}", text_color_on(f"#{color:06x}")) >= 4.1


def test_a_brand_without_a_name_has_the_tenants() -> None:
    shown = template(text="{{ brand.name }}|{{ brand.color }}|{{ brand.address }}")

    assert Renderer().render(shown, {"tenant": {"name": "Acme"}}).text == "Acme|#1d4ed8|"
    assert Renderer().render(shown, {"tenant": {"name": "Acme"}, "brand": {"name": "A"}}).text == "A|#1d4ed8|"
    assert Renderer().render(shown, {}).text == "|#1d4ed8|"
