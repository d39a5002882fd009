"""The gallery of all 4,763 covers in a real browser: the page, the search, the keyboard, links, the large view."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from browsing import Visit, canvas_pixels, cover_path, opened, served, settle, until

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import cover_url, image_url
from timecoverspider.replica.titles import issue_title

pytestmark = pytest.mark.slow

DAYS = sorted(issue_dates())
MOON = date(1969, 7, 25)
# When the first thumbnail of the grid is there, and how long the longest task was, in milliseconds.
WATCH = """
window.longest = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
}).observe({ type: "longtask" });
(function look() {
  const first = document.querySelector(".grid img");
  if (first?.complete && first.naturalWidth) window.first = performance.now();
  else requestAnimationFrame(look);
})();
"""


def title(day: date) -> str:
    return " ".join(issue_title(day).split())


def test_page_on_a_disk_is_small_and_shows_thumbnails_at_once(
    all_covers: Path, visit: Visit, record_property: Callable[[str, object], None]
) -> None:
    assert all_covers.stat().st_size < 3_000_000
    page = visit("about:blank")
    page.add_init_script(WATCH)
    page.goto(all_covers.as_uri())
    until(page, "window.first")
    record_property("first thumbnail [ms]", page.evaluate("Math.round(window.first)"))
    assert page.evaluate("window.first") < 5000  # 300 on a quiet machine
    assert page.locator("h1").inner_text() == "4,763 images 1923–2014"
    assert page.title() == "pyimagesearch-cover-spider: 4,763 images"


def test_page_stays_responsive_while_scrolling(
    all_covers: Path, visit: Visit, record_property: Callable[[str, object], None]
) -> None:
    page = visit("about:blank")
    page.add_init_script(WATCH)
    page.goto(all_covers.as_uri())
    until(page, "window.first")
    settle(page)
    page.mouse.move(600, 700)
    rounds = []
    for _ in range(3):  # other tests run at the same time: a task that is always long is long in the best of three
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(100)
        page.evaluate("longest = 0")
        for _ in range(20):
            page.mouse.wheel(0, 5000)
            page.wait_for_timeout(50)
        rounds.append(page.evaluate("longest"))
    record_property("longest task while scrolling [ms]", rounds)
    assert min(rounds) < 200  # under 50 on a quiet machine


def test_page_on_a_web_server_shows_the_images(all_covers: Path, visit: Visit) -> None:
    with served(all_covers.parent.parent) as address:
        page = visit(f"{address}/gallery/index.html#image={cover_path(MOON)}")
        until(page, "$('image').src.includes('/full/')")
        assert page.evaluate("[$('image').naturalWidth, $('image').naturalHeight]") == [400, 527]
        page.keyboard.press("Escape")
        settle(page)
        assert page.locator(".grid img").first.evaluate("image => image.complete && image.naturalWidth > 0")
        page.context.close()  # before the server is gone


@pytest.mark.parametrize(
    ("words", "is_wanted"),
    [
        ("july 1969", lambda day: (day.year, day.month) == (1969, 7)),
        ("1969-07-25", lambda day: day == MOON),
        ("July 25, 1969", lambda day: day == MOON),
        ("NÉIL  armströng", lambda day: day == MOON),
        ("armstrong neil 1969", lambda day: day == MOON),
        ("the computer, machine", lambda day: day == date(1983, 1, 3)),
        ("1933", lambda day: day.year == 1933),
        ("no such title", lambda _: False),
        ("<b>", lambda _: False),
        ('"', lambda day: '"' in issue_title(day)),
    ],
)
def test_search_finds_titles_and_dates(
    all_covers: Path, visit: Visit, words: str, is_wanted: Callable[[date], bool]
) -> None:
    wanted = [day for day in DAYS if is_wanted(day)]
    page = visit(all_covers.as_uri())
    page.locator("#search").fill(words)
    until(page, "location.hash.startsWith('#search=')")
    count = f"{len(wanted)} image{'s' if len(wanted) != 1 else ''}"
    assert page.locator("#found").inner_text() == count
    assert page.locator("#status").inner_text().startswith(f"{count} match")
    tiles = page.locator(".grid time")
    assert [tiles.nth(i).inner_text() for i in range(min(3, tiles.count()))] == [str(day) for day in wanted[:3]]
    assert page.evaluate("shown.length") == len(wanted)
    page.locator("#search").fill("")
    page.locator("h2", has_text="1920s").wait_for()
    assert page.locator("#found").inner_text() == ""
    assert page.evaluate("shown.length") == 4763


def test_search_is_shared_by_its_link_and_dims_the_rest_of_the_montage(all_covers: Path, visit: Visit) -> None:
    plain = canvas_pixels(visit(all_covers.as_uri()))
    page = visit(f"{all_covers.as_uri()}#search=1969-07-25")
    assert page.locator("#search").input_value() == "1969-07-25"
    page.locator("main .grid li").first.wait_for()
    assert page.locator("main .grid li").count() == 1
    changed = np.abs(canvas_pixels(page) - plain).sum(axis=2) > 0
    x, y, w, h = page.evaluate(f"montage.place({DAYS.index(MOON)})")
    assert not changed[round(y) + 1 : round(y + h) - 1, round(x) + 1 : round(x + w) - 1].any()
    assert changed.mean() > 0.8


def test_tabs_are_chosen_by_arrow_keys_and_go_round(all_covers: Path, visit: Visit) -> None:
    page = visit(all_covers.as_uri())
    page.locator("#tab-montage").focus()
    chosen = []
    for key in ["ArrowRight"] * 5 + ["ArrowLeft"]:
        page.keyboard.press(key)
        [tab] = page.get_by_role("tab", selected=True).all()
        assert tab.evaluate("tab => tab === document.activeElement")
        assert page.locator("[role=tabpanel]:visible").get_attribute("aria-labelledby") == tab.get_attribute("id")
        chosen.append(tab.inner_text())
    assert chosen == ["Image plot", "Averages", "Slice scan", "Years", "Montage", "Years"]


def test_canvas_opens_the_image_that_arrow_keys_choose_and_gets_the_focus_back(all_covers: Path, visit: Visit) -> None:
    page = visit(all_covers.as_uri())
    settle(page)
    page.locator("#canvas").focus()
    for key in ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"]:  # the first key chooses the first image
        page.keyboard.press(key)
    day = DAYS[page.evaluate("montage.columns")]
    assert page.locator("#status").inner_text().startswith(f"{title(day)}, {day}, ")
    page.keyboard.press("Enter")
    assert opened(page) == str(day)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    until(page, "state.image === data.paths[montage.columns + 1]")
    assert opened(page) == str(DAYS[page.evaluate("montage.columns") + 1])
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="hidden")
    assert page.evaluate("document.activeElement.id") == "canvas"
    for key, day in [("End", DAYS[-1]), ("ArrowRight", DAYS[-1]), ("Home", DAYS[0]), ("ArrowUp", DAYS[0])]:
        page.keyboard.press(key)
        assert f", {day}, " in page.locator("#status").inner_text()


def test_tile_is_opened_by_enter_and_gets_the_focus_back(all_covers: Path, visit: Visit) -> None:
    page = visit(all_covers.as_uri())
    page.locator(".grid a").nth(3).focus()
    page.keyboard.press("Enter")
    assert opened(page) == str(DAYS[3])
    page.get_by_role("button", name="Close").click()
    page.locator("dialog").wait_for(state="hidden")
    assert page.evaluate("document.activeElement.textContent") == f"{title(DAYS[3])}{DAYS[3]}"


def test_focus_goes_to_the_image_that_was_seen_last(all_covers: Path, visit: Visit) -> None:
    page = visit(all_covers.as_uri())
    page.locator(".grid a").nth(3).focus()
    page.keyboard.press("Enter")
    for i in range(4, 60):  # the next year, whose tiles may not be there yet
        page.keyboard.press("ArrowRight")
        until(page, f"state.image === data.paths[{i}]")
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="hidden")
    until(page, f"document.activeElement.textContent === '{title(DAYS[59])}{DAYS[59]}'")


def test_link_to_an_image_that_is_gone_says_so(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#image=full/gone.jpg")
    assert page.locator("#gone").is_visible()
    page.locator(".grid a").nth(3).click()
    page.locator("dialog").wait_for()
    assert not page.locator("#gone").is_visible()


def test_arrow_keys_work_on_after_the_first_and_the_last_image(all_covers: Path, visit: Visit) -> None:
    page = visit(all_covers.as_uri())
    page.locator(".grid a").nth(1).click()
    for key, i in [("ArrowLeft", 0), ("ArrowLeft", 0), ("ArrowRight", 1)]:
        page.keyboard.press(key)
        until(page, f"state.image === data.paths[{i}] && $('large').contains(document.activeElement)")
    page.evaluate("go({ image: data.paths[4761] })")
    page.get_by_role("button", name="Next").focus()
    for key, i in [("ArrowRight", 4762), ("ArrowRight", 4762), ("ArrowLeft", 4761)]:
        page.keyboard.press(key)
        until(page, f"state.image === data.paths[{i}] && $('large').contains(document.activeElement)")


def test_search_that_is_cleared_leaves_no_count_for_screen_readers(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#search=july+1969")
    assert page.locator("#status").inner_text().startswith("4 images match")
    page.locator("#search").fill("")
    until(page, "$('status').textContent === '4,763 images'")


def test_skip_link_keeps_the_search_and_the_view(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#view=plot&search=1969")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    until(page, "document.activeElement === $('images')")
    assert page.locator("#search").input_value() == "1969"
    assert page.locator("#tab-plot").get_attribute("aria-selected") == "true"


def test_page_behind_the_large_view_does_not_scroll(all_covers: Path, visit: Visit) -> None:
    page = visit(all_covers.as_uri())
    page.locator(".grid a").nth(1).click()
    assert opened(page) == str(DAYS[1])
    before = page.evaluate("scrollY")
    page.mouse.move(5, 5)
    page.mouse.wheel(0, 500)
    page.wait_for_timeout(200)
    assert page.evaluate("scrollY") == before


def test_chosen_tab_is_in_sight_on_a_phone(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#view=years", width=390)
    box = page.locator("#tab-years").bounding_box()
    assert box
    assert box["x"] + box["width"] <= 390


def test_large_view_shows_the_record(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#image={cover_path(MOON)}")
    assert opened(page) == "1969-07-25"
    with Dataset(all_covers.parent.parent) as dataset:
        [record] = [record for record in dataset.records() if record.item["pubDate"] == "1969-07-25"]
    [image] = record.images
    names, values = (page.locator(f"#facts {kind}").all_inner_texts() for kind in ("dt", "dd"))
    facts = dict(zip(names, values, strict=True))
    assert page.locator("dialog h2").inner_text() == "Neil Armstrong"
    assert facts.pop("Measured").startswith("brightness ")
    assert facts == {
        "Date": "1969-07-25",
        "Size": f"400 × 527 pixels, {image.bytes:,} bytes",
        "File": image.path,
        "MD5": image.checksum,
        "Image URL": image_url(MOON),
        "Page": cover_url(MOON),
        "Fetched": f"{image.stored[:19].replace('T', ' ')} UTC",
    }
    links = page.locator("#facts a").evaluate_all("links => links.map((link) => link.href)")
    assert links == [(all_covers.parent.parent / image.path).as_uri(), image.url, record.page_url]
    until(page, "$('image').src.includes('/full/')")
    assert page.locator("#place").inner_text() == f"{DAYS.index(MOON) + 1:,} of 4,763"


def test_back_closes_the_large_view_and_forward_opens_it(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#view=slices")
    page.locator(".grid a").nth(1).click()
    assert opened(page) == str(DAYS[1])
    page.go_back()
    page.locator("dialog").wait_for(state="hidden")
    assert page.url.endswith("#view=slices")
    page.go_forward()
    assert opened(page) == str(DAYS[1])


def test_large_view_that_is_closed_leaves_no_step_to_go_back_to(all_covers: Path, visit: Visit) -> None:
    page = visit(all_covers.as_uri())
    page.locator(".grid a").nth(1).click()
    assert opened(page) == str(DAYS[1])
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="hidden")
    page.go_back()
    assert page.url == "about:blank"


def test_link_to_an_image_that_is_gone_shows_the_page(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#image=full/gone.jpg&view=nothing&measure=weight&year=x")
    settle(page)
    assert not page.locator("dialog").is_visible()
    assert page.locator("#tab-montage").get_attribute("aria-selected") == "true"


def test_link_to_a_year_shows_that_year(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#year=1969")
    heading = page.locator("h3", has_text="1969")
    until(page, "scrollY > 1000")
    assert 0 < heading.evaluate("heading => heading.getBoundingClientRect().top") < 200
    assert page.locator("time", has_text=f"{MOON}").is_visible()


def test_link_to_a_decade_beats_a_search(all_covers: Path, visit: Visit) -> None:
    page = visit(f"{all_covers.as_uri()}#search=moon")
    page.get_by_role("navigation").get_by_text("1980s").click()
    assert page.locator("#search").input_value() == ""
    until(page, "scrollY > 1000")
    heading = page.locator("h2", has_text="1980s")
    assert 0 < heading.evaluate("heading => heading.getBoundingClientRect().top") < 200
