"""Galleries of images that a site invents to harm, and of unusual data sets, in a real browser."""

from pathlib import Path

import pytest
from browsing import Visit, build_gallery, opened, overlaps, settle, until
from sample_images import Sample, cover, make_samples, picture

pytestmark = pytest.mark.slow

TITLES = [
    "<script>window.bad = 1</script>",
    "</script><script>window.bad = 2</script>",
    "<!--<script>",
    "--><img src=x onerror='window.bad = 3'>",
    "\N{LINE SEPARATOR}window.bad = 4\N{PARAGRAPH SEPARATOR}",
    "\"'><svg onload=window.bad=5>",
    "\N{RIGHT-TO-LEFT OVERRIDE}gpj.txt",
    "\\u003cscript\\u003e {{ 7 * 7 }} ${7 * 7} ]]>",
    "w" * 1000,
    "Wort " * 200,
    "\x01\x1b[31m\x7f",
    "\N{ARABIC LETTER ALEF}\N{ARABIC LETTER LAM} \N{CJK UNIFIED IDEOGRAPH-65E5}\N{CJK UNIFIED IDEOGRAPH-672C}",
]
PATHS = [
    "full/<b>.jpg",
    "full/a \"b' c.jpg",
    "full/100%25 #1?x=1&y.jpg",
    "full/\N{LATIN SMALL LETTER E WITH ACUTE}.jpg",
]


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """The page of a gallery of hostile titles, file names and URLs."""
    samples = [
        Sample(
            {"title": title, "pubDate": f"2014-01-{number + 1:02}"},
            {PATHS[number] if number < len(PATHS) else f"full/{number}.jpg": picture(number)},
            "javascript:window.bad=6//<b>",
            "javascript:window.bad=7//",
        )
        for number, title in enumerate(TITLES)
    ]
    make_samples(tmp_path / "output", samples, spider="pyimagesearch-cover-spider")
    return build_gallery(tmp_path / "output")


def test_hostile_titles_are_text(hostile: Path, visit: Visit) -> None:
    page = visit(hostile.as_uri())
    page.locator(".grid img").first.wait_for()
    assert page.locator(".grid span").all_text_contents() == [" ".join(title.split()) for title in TITLES]
    for view in ["plot", "averages", "slices", "years", "montage"]:
        page.locator(f"#tab-{view}").click()
    settle(page)
    page.locator("#canvas").hover(position={"x": 30, "y": 30})
    page.locator("#search").fill("</script>")
    page.locator("main h2", has_text="2 images match “</script>”").wait_for()
    page.locator("main li").first.wait_for()
    assert page.locator("main li").count() == 2
    assert page.evaluate("window.bad") is None


def test_hostile_names_and_urls_are_inert_in_the_large_view(hostile: Path, visit: Visit) -> None:
    page = visit(hostile.as_uri())
    for number, title in enumerate(TITLES):
        page.locator(".grid a").nth(number).click()
        assert opened(page) == f"2014-01-{number + 1:02}"
        assert page.locator("dialog h2").text_content() == " ".join(title.split())
        until(page, "$('image').src.includes('/full/')")  # the file is found, whatever its name
        [link] = page.locator("#facts a").all()
        assert (link.get_attribute("href") or "").startswith("../full/")
        assert page.locator("#title").evaluate("title => title.scrollWidth <= title.clientWidth")
        page.keyboard.press("Escape")
        page.locator("dialog").wait_for(state="hidden")
    assert page.evaluate("window.bad") is None


@pytest.mark.parametrize("width", [390, 1280])
def test_hostile_titles_leave_the_page_its_width(hostile: Path, visit: Visit, width: int) -> None:
    page = visit(hostile.as_uri(), width=width)
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert overlaps(page) == []


def test_link_to_a_hostile_name_opens_the_image(hostile: Path, visit: Visit) -> None:
    page = visit(hostile.as_uri())
    page.locator(".grid a").nth(2).click()
    opened(page)
    again = visit(page.url)
    assert opened(again) == "2014-01-03"


def test_policy_stops_a_script_that_gets_into_the_page(hostile: Path, visit: Visit) -> None:
    text = hostile.read_text()
    bad = "<script>window.bad = 1</script><img src=x onerror='window.bad = 2'><a href='javascript:window.bad=3'>x</a>"
    hostile.write_text(text.replace("</body>", f"{bad}</body>"))
    page = visit("about:blank").context.new_page()  # this page reports, as it should
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(hostile.as_uri())
    page.get_by_role("link", name="x", exact=True).click()
    until(page, "true")
    assert page.evaluate("window.bad") is None
    assert len([text for text in said if "Content Security Policy" in text]) >= 3


def test_data_set_without_dates_has_what_needs_none(tmp_path: Path, visit: Visit) -> None:
    make_samples(tmp_path / "output", [cover(number) for number in range(30)], spider="pyimagesearch-cover-spider")
    page = visit(build_gallery(tmp_path / "output").as_uri() + "#view=plot&year=1969")
    settle(page)
    assert page.get_by_role("tab").all_inner_texts() == ["Montage", "Slice scan"]
    assert page.locator("main h2").inner_text() == "Without a date 30 images"
    page.locator(".grid a").nth(29).click()
    assert "Date" not in page.locator("#facts dt").all_inner_texts()


def test_record_without_a_title_has_the_name_of_its_file(tmp_path: Path, visit: Visit) -> None:
    samples = [Sample({}, {"full/a.jpg": picture(1)}), Sample({"pubDate": "1999"}, {"full/b.jpg": picture(2)})]
    make_samples(tmp_path / "output", samples, spider="pyimagesearch-cover-spider")
    page = visit(build_gallery(tmp_path / "output").as_uri())
    assert page.locator(".grid li").all_inner_texts() == ["1999", "a.jpg"]
    page.locator(".grid a").nth(1).click()
    page.locator("dialog[open]").wait_for()
    assert page.locator("#title").inner_text() == "a.jpg"


def test_one_image_fills_all_views(tmp_path: Path, visit: Visit) -> None:
    make_samples(tmp_path / "output", [cover(1, "0001-02")], spider="pyimagesearch-cover-spider")
    page = visit(build_gallery(tmp_path / "output").as_uri())
    for view in ["plot", "averages", "slices", "years", "montage"]:
        page.locator(f"#tab-{view}").click()
        settle(page)
        assert overlaps(page) == []
    page.locator("#canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert opened(page) == "0001-02"
    assert page.get_by_role("button", name="Next image").is_disabled()


def test_dates_of_ten_thousand_years_leave_the_page_small(tmp_path: Path, visit: Visit) -> None:
    days = ["0001-01-01", *(f"2014-0{month}-{day:02}" for month in (1, 3) for day in range(1, 29, 7)), "9999-12-31"]
    make_samples(
        tmp_path / "output", [cover(n, day) for n, day in enumerate(days)], spider="pyimagesearch-cover-spider"
    )
    file = build_gallery(tmp_path / "output")
    assert file.stat().st_size < 200_000
    page = visit(file.as_uri() + "#view=plot")
    settle(page)
    assert page.locator("h1").inner_text() == "10 images 0001–9999"


def test_images_of_all_shapes_stay_in_their_places(tmp_path: Path, visit: Visit) -> None:
    sizes = [(5000, 2), (2, 5000), (1, 1), (60, 20), (20, 60)]
    samples = [cover(n, f"1969-0{n + 1}", content=picture(n, size)) for n, size in enumerate(sizes)]
    make_samples(tmp_path / "output", samples, spider="pyimagesearch-cover-spider")
    page = visit(build_gallery(tmp_path / "output").as_uri())
    settle(page)
    for view in ["plot", "montage"]:
        page.locator(f"#tab-{view}").click()
        settle(page)
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    boxes = page.locator(".grid img").evaluate_all(
        "all => all.map((one) => [one, one.closest('li')].map((each) => each.getBoundingClientRect()))"
        ".map(([one, tile]) => one.width <= tile.width + 1 && one.height <= tile.height)"
    )
    assert all(boxes)
    page.locator(".grid a").first.click()
    opened(page)
    assert page.locator("#image").evaluate("image => image.clientWidth <= image.parentElement.clientWidth")
