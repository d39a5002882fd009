"""The gallery of all 4,763 covers on screens of any width, in both colour schemes, and as axe-core judges it."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import Visit, canvas_pixels, cover_path, opened, overlaps

from timecoverspider.replica.issues import issue_dates

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

DAYS = sorted(issue_dates())
MOON = date(1969, 7, 25)
VIEWS = ["montage", "plot", "averages", "slices", "years"]


@pytest.mark.parametrize("width", [390, 820, 1600])
def test_page_has_room_for_everything_at_any_width(all_covers: Path, visit: Visit, width: int) -> None:
    page = visit(all_covers.as_uri(), width=width)
    for view in VIEWS:
        page.locator(f"#tab-{view}").click()
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), view
        assert overlaps(page) == [], view
    page.locator(".grid a").nth(5).click()
    assert opened(page) == str(DAYS[5])
    inside = page.evaluate(
        "[$('large'), ...document.querySelectorAll('.record, .frame')].map((e) => e.scrollWidth - e.clientWidth)"
    )
    assert max(inside) <= 0


def test_page_is_dark_where_the_visitor_wants_it(all_covers: Path, visit: Visit) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        page = visit(f"{all_covers.as_uri()}#view=plot", color_scheme=scheme)
        colours[scheme] = canvas_pixels(page)[-5, 5].mean()
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light dark"
    assert colours["light"] > 230
    assert colours["dark"] < 40


def test_visitor_who_changes_the_colours_gets_a_new_canvas(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#view=plot", color_scheme="light")
    light = canvas_pixels(page)
    page.emulate_media(color_scheme="dark")
    label = canvas_pixels(page)[-30:-1, :200]
    assert label.max() > 130  # labels are light now
    assert light[-30:-1, :200].min() < 130


@pytest.mark.parametrize(
    ("view", "scheme", "width"), [*((view, "light", 1280) for view in VIEWS), ("plot", "dark", 390)]
)
def test_axe_finds_no_serious_fault(all_covers: Path, visit: Visit, view: str, scheme: str, width: int) -> None:
    page = visit(f"{all_covers.as_uri()}#view={view}", color_scheme=scheme, width=width)
    page.locator(".grid img").first.wait_for()
    assert serious_faults(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_the_large_view(all_covers: Path, visit: Visit, scheme: str) -> None:
    page = visit(f"{all_covers.as_uri()}#search=july+1969&image={cover_path(MOON)}", color_scheme=scheme)
    assert opened(page) == "1969-07-25"
    assert serious_faults(page) == []


def serious_faults(page: "Page") -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    found = axe.run(page, options={"resultTypes": ["violations", "passes"]}).response
    assert len(found["passes"]) > 15
    return [
        f"{one['id']}: {one['nodes'][0]['html']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
