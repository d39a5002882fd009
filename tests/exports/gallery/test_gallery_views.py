"""The views of the gallery of all 4,763 covers in a real browser: what is drawn, and what a click opens."""

from collections import Counter
from csv import DictReader
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from browsing import Pixels, Visit, canvas_pixels, cover_path, opened, settle, until
from PIL import Image

from timecoverspider.replica.issues import issue_dates

pytestmark = pytest.mark.slow

DAYS = sorted(issue_dates())


@pytest.mark.parametrize("measure", ["brightness", "contrast", "saturation", "hue"])
def test_plot_has_each_image_at_its_date_and_value(all_covers: Path, visit: Visit, measure: str) -> None:
    rows = [row for row in measurements(all_covers) if row[measure]]
    page = visit(f"{all_covers.as_uri()}#view=plot&measure={measure}")
    settle(page)
    assert page.locator("#measure").input_value() == measure
    labels = page.evaluate("plot.labels")
    assert {1930, 1970, 2010} <= set(labels)
    assert len([label for label in labels if label < 1900]) >= 2
    points = page.evaluate(
        "points => points.map((point) => plot.point(...point))", [_place(row, measure) for row in rows]
    )
    free = _uncovered(points, page.evaluate("[plot.size, plot.size * data.shape]"))
    assert len(free) > 50
    for i in (free[0], free[len(free) // 2], free[-1]):
        x, y, w, h = page.evaluate("path => plot.place(data.paths.indexOf(path))", rows[i]["path"])
        assert [x + w / 2, y + h / 2] == pytest.approx(points[i], abs=0.1)
        page.locator("#canvas").click(position={"x": points[i][0], "y": points[i][1]})
        assert opened(page) == rows[i]["date"]
        page.keyboard.press("Escape")
        page.locator("dialog").wait_for(state="hidden")
    earlier, later = page.evaluate("[plot.point(1930, 50), plot.point(1970, 60)]")
    assert earlier[0] < later[0]
    assert earlier[1] > later[1]


def measurements(page: Path) -> list[dict[str, str]]:
    with (page.parent / "measurements.csv").open(encoding="utf-8", newline="") as file:
        return list(DictReader(file))


def _place(row: dict[str, str], measure: str) -> tuple[float, float]:
    """Return the year as a decimal number, and the value."""
    day = date.fromisoformat(row["date"])
    return day.year + (day.month - 1) / 12 + (day.day - 1) / 366, float(row[measure])


def _uncovered(points: list[list[float]], size: tuple[float, float]) -> list[int]:
    """Return the numbers of the points that no later image covers."""
    places = np.array(points)
    return [
        number
        for number, place in enumerate(places)
        if not (np.abs(places[number + 1 :] - place) <= np.array(size) / 2 + 1).all(axis=1).any()
    ]


def test_plot_by_hue_tells_how_many_images_are_left_out(all_covers: Path, visit: Visit) -> None:
    grey = [row for row in measurements(all_covers) if not row["hue"]]
    assert grey
    page = visit(f"{all_covers.as_uri()}#view=plot")
    page.locator("#measure").select_option("hue")
    assert "measure=hue" in page.url
    assert f"{len(grey)} images without a date or a hue are left out" in page.locator("#legend").inner_text()


NUMBERS = [0, 1, 31, 32, 356, 357, 1380, 2400, 3000, 4000, 4761, 4762]


def closest(drawn: Pixels, folder: Path, i: int, slot: tuple[int, int], *, slices: bool) -> int:
    """Return which of a cover and its neighbours is most like what is drawn in a slot of the canvas."""
    differences = {}
    for other in (i + step for step in (-32, -2, -1, 0, 1, 2, 32) if 0 <= i + step < len(DAYS)):
        with Image.open(folder / cover_path(DAYS[other])) as image:
            middle = image.width // 2
            part = image.crop((middle - 4, 0, middle + 4, image.height)) if slices else image
            wanted = np.asarray(part.convert("RGB").resize(slot, Image.Resampling.BOX), np.float64)
        differences[other] = np.abs(drawn - wanted).mean()
    return min(differences, key=differences.__getitem__)


def test_montage_draws_and_opens_each_image_in_its_place(all_covers: Path, visit: Visit) -> None:
    page = visit(all_covers.as_uri(), width=2000, height=1600, device_scale_factor=2)
    pixels = canvas_pixels(page)
    for i in NUMBERS:
        x, y, w, h = (round(2 * value) for value in page.evaluate(f"montage.place({i})"))
        drawn = pixels[y : y + h, x : x + w]
        assert closest(drawn, all_covers.parent.parent, i, (w, h), slices=False) == i
    for i in NUMBERS[::3]:
        x, y, w, h = page.evaluate(f"montage.place({i})")
        page.locator("#canvas").click(position={"x": x + w / 2, "y": y + h / 2})
        assert opened(page) == str(DAYS[i])
        page.keyboard.press("Escape")
        page.locator("dialog").wait_for(state="hidden")


def test_slice_scan_draws_and_opens_each_image_in_its_place(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#view=slices")
    settle(page)
    page.evaluate("stage.zoom(40, 0, 0)")
    for i in NUMBERS[::2]:
        page.evaluate(f"stage.move(slices.place({i})[0] - 100, 0)")
        pixels = canvas_pixels(page)
        x, _, w, h = page.evaluate(f"slices.place({i})")
        drawn = pixels[: int(h), int(x + w / 2)][:, None]
        assert closest(drawn, all_covers.parent.parent, i, (1, int(h)), slices=True) == i
        page.locator("#canvas").click(position={"x": x + w / 2, "y": 50})
        assert opened(page) == str(DAYS[i])
        page.keyboard.press("Escape")
        page.locator("dialog").wait_for(state="hidden")


def test_zoom_keeps_what_is_under_the_pointer(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#view=montage")
    settle(page)
    box = page.locator("#canvas").bounding_box()
    assert box
    x, y = box["width"] * 0.7, box["height"] * 0.6
    page.mouse.move(box["x"] + x, box["y"] + y)
    before = page.evaluate(f"montage.at({x}, {y})")
    page.keyboard.down("Control")
    for _ in range(5):
        page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    until(page, "stage.scale > 10")
    assert page.evaluate(f"montage.at({x}, {y})") == before
    settle(page)  # large enough for thumbnails
    page.get_by_role("button", name="Show all").click()
    assert page.evaluate("[stage.scale, stage.x, stage.y]") == [1, 0, 0]
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom out").click()
    assert page.evaluate("stage.scale") == pytest.approx(1.6)
    page.locator("#canvas").focus()
    page.keyboard.press("+")
    assert page.evaluate("stage.scale") == pytest.approx(2.56)
    page.keyboard.press("0")
    assert page.evaluate("stage.scale") == 1


def test_wheel_without_control_scrolls_the_page(all_covers: Path, visit: Visit) -> None:
    page = visit(all_covers.as_uri())
    settle(page)
    page.locator("#canvas").hover()
    page.mouse.wheel(0, 300)
    until(page, "scrollY > 0")
    assert page.evaluate("stage.scale") == 1


def test_weeks_without_an_image_are_named(all_covers: Path, visit: Visit) -> None:
    weeks = {day.isocalendar()[:2] for day in DAYS}
    every = (DAYS[0] + timedelta(days=7 * number) for number in range((DAYS[-1] - DAYS[0]).days // 7 + 1))
    without = [day.isocalendar()[:2] for day in every if day.isocalendar()[:2] not in weeks]
    page = visit(f"{all_covers.as_uri()}#view=years")
    assert page.locator("summary").inner_text().startswith("29 weeks without an image")
    named = [date.fromisoformat(text) for text in page.locator(".weeks li").all_inner_texts()]
    assert [day.isocalendar()[:2] for day in named] == without
    assert {day.weekday() for day in named} == {0}


def test_bars_count_the_images_of_each_year_and_lead_there(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#view=years")
    labels = page.locator("#years svg a").evaluate_all("bars => bars.map((bar) => bar.ariaLabel)")
    counts = Counter(day.year for day in DAYS)
    assert labels == [f"{year}: {counts[year]} images" for year in range(1923, 2015)]
    page.get_by_label("1969: ").focus()
    page.keyboard.press("Enter")
    until(page, "scrollY > 1000")
    top = page.locator("h3", has_text="1969").evaluate("heading => heading.getBoundingClientRect().top")
    assert 0 < top < 200


def test_averages_are_shown_and_lead_to_their_decades(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#view=averages")
    counts = Counter(day.year // 10 * 10 for day in DAYS)
    texts = [" ".join(text.split()) for text in page.locator("#averages li").all_inner_texts()]
    assert texts == [f"{decade}s {count} images" for decade, count in counts.items()]
    until(page, "[...document.querySelectorAll('#averages img')].every((image) => image.naturalWidth === 400)")
    page.get_by_role("link", name="Average of the 1990s").click()
    until(page, "location.hash.includes('year=1990') && scrollY > 1000")


def test_plot_that_is_zoomed_in_is_labelled_with_months(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#view=plot")
    page.evaluate("stage.zoom(40, plot.point(1969.5, 0)[0], 100)")
    settle(page)
    assert "1969-07" in page.evaluate("plot.labels")


def test_bars_are_one_stop_of_the_tab_key_and_arrow_keys_choose(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#view=years")
    page.locator("#tab-years").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.ariaLabel") == "1924: 52 images"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('svg')") is None
