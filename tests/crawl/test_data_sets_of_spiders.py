"""Each spider has a data set of its own, and a data set keeps to its spider and its site."""

from pathlib import Path

import pytest
from own_project import AnySite, OwnProject
from scrapy_command import last_line
from shapes import A, page, tags

B = "http://b.example"


def spider(name: str, url: str, more: str = "") -> str:
    return f"""
class Spider{name.title().replace("-", "")}(Spider):
    name = "{name}"
    start_urls = ["{url}/"]
    {more}

    def parse(self, response):
        for image in response.css("img::attr(src)").getall():
            yield {{"file_urls": [response.urljoin(image)]}}
"""


@pytest.fixture
def site() -> AnySite:
    return AnySite({f"{A}/": page(tags("/1.jpg", "/2.jpg")), f"{B}/": page(tags("/1.jpg", "/2.jpg", "/3.jpg"))})


def test_two_spiders_of_a_project_have_data_sets_of_their_own(tmp_path: Path, site: AnySite) -> None:
    project = OwnProject(tmp_path, spider("ay", A) + spider("bee", B))
    for _ in range(2):
        for name in ("ay", "bee"):
            done = project.crawl(name, site)
            assert done.returncode == 0, done.stderr
    assert [len(project.records(name)) for name in ("ay", "bee")] == [2, 3]
    assert {path.name for path in (tmp_path / "output").iterdir()} == {"ay", "bee"}
    project.images("bee")[0].unlink()
    assert project.scrapy("verify", "ay").returncode == 0
    done = project.scrapy("verify", "bee")
    assert (done.returncode, done.stdout.startswith("missing: full/")) == (3, True)
    assert project.served(site, "verify", "--repair", "bee").returncode == 0
    assert project.scrapy("verify", "bee").returncode == 0


def test_feed_of_another_spider_is_refused_before_the_first_request(tmp_path: Path, site: AnySite) -> None:
    project = OwnProject(tmp_path, spider("ay", A) + spider("bee", B))
    assert project.crawl("ay", site).returncode == 0
    done = project.served(site, "crawl", "bee", "-o", "ay.json")
    assert done.returncode == 2
    assert "is the feed of the data set in" in last_line(done)
    assert not site.requests


def test_spider_that_is_edited_in_place_is_refused_before_the_first_request(tmp_path: Path, site: AnySite) -> None:
    project = OwnProject(tmp_path, spider("ay", A))
    assert project.crawl("ay", site).returncode == 0
    project.write(spider("ay", B))
    done = project.crawl("ay", site)
    assert done.returncode == 2
    assert "has records of a.example, and the spider 'ay' now starts at b.example" in last_line(done)
    assert "give the spider another name" in last_line(done)
    assert not site.requests
    project.write(spider("bee", B))
    assert project.crawl("bee", site).returncode == 0
    assert [len(project.records(name)) for name in ("ay", "bee")] == [2, 3]


def test_cover_spider_that_is_edited_in_place_is_refused_before_the_first_request(
    folder: Path, filled: Path, site: AnySite
) -> None:
    name = "pyimagesearch-cover-spider"
    project = OwnProject(folder, spider(name, B), SPIDER_MODULES=["own_spiders"])
    done = project.crawl(name, site)
    assert done.returncode == 2
    assert "b.example" in last_line(done)
    assert not site.requests
    assert (folder / "output.json").read_bytes() == (filled / "output.json").read_bytes()


def test_data_set_of_another_spider_is_refused_before_the_first_request(tmp_path: Path, site: AnySite) -> None:
    project = OwnProject(tmp_path, spider("ay", A) + spider("bee", A))
    assert project.crawl("ay", site).returncode == 0
    done = project.crawl("bee", site, "-s", f"FILES_STORE={project.data_set('ay')}")
    assert done.returncode == 2
    assert "belongs to the spider 'ay', not to 'bee'" in last_line(done)
    done = project.scrapy("verify", "bee", "-s", f"FILES_STORE={project.data_set('ay')}")
    assert done.returncode == 2
    assert "belongs to the spider 'ay', not to 'bee'" in done.stderr
    assert not site.requests


def test_folder_of_the_spiders_own_settings_is_used_by_crawl_and_verify(tmp_path: Path, site: AnySite) -> None:
    store = f'custom_settings = {{"FILES_STORE": "{tmp_path}/elsewhere"}}'
    project = OwnProject(tmp_path, spider("ay", A, store))
    assert project.crawl("ay", site).returncode == 0
    assert len(list((tmp_path / "elsewhere" / "full").iterdir())) == 2
    assert not (tmp_path / "output").exists()
    done = project.scrapy("verify", "ay")
    assert (done.returncode, done.stdout) == (0, "2 records in elsewhere and ay.json: no problems.\n")


@pytest.mark.parametrize("name", ["full", "gallery", "../up", "with space", ""])
def test_name_that_cannot_be_a_folder_is_refused(tmp_path: Path, site: AnySite, name: str) -> None:
    project = OwnProject(tmp_path, spider("ay", A).replace('name = "ay"', f"name = {name!r}"))
    done = project.crawl(name, site)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not site.requests
    assert not (tmp_path / "output").exists()


def test_argument_of_the_spider_reaches_the_spider(tmp_path: Path, site: AnySite) -> None:
    source = spider("ay", A).replace('yield {"file_urls"', 'yield {"tag": self.tag, "file_urls"')
    project = OwnProject(tmp_path, source)
    assert project.crawl("ay", site, "-a", "tag=red").returncode == 0
    assert {record["tag"] for record in project.records("ay")} == {"red"}


def test_spider_with_start_requests_alone_is_refused(tmp_path: Path, site: AnySite) -> None:
    source = spider("ay", A) + "\n    def start_requests(self):\n        yield Request(self.start_urls[0])\n"
    done = OwnProject(tmp_path, source).crawl("ay", site)
    assert done.returncode == 2
    assert "rename it to async start" in last_line(done)
    assert not site.requests


@pytest.mark.parametrize(
    ("more", "limit"),
    [("DEPTH_LIMIT=1", "DEPTH_LIMIT"), ("CLOSESPIDER_ITEMCOUNT=1", "closespider_itemcount"), ("ENOUGH=1", "enough")],
)
def test_crawl_that_a_limit_cut_is_partial_and_taken_up_later(tmp_path: Path, more: str, limit: str) -> None:
    source = f"""{spider("ay", A)}
        yield from response.follow_all(css="a")
        if self.settings.getbool("ENOUGH"):
            raise CloseSpider("enough")
"""
    pages: dict[str, str | int] = {
        f"{A}/": page(tags("/0.jpg"), '<a href="/1">x</a>'),
        f"{A}/1": page(tags("/1.jpg"), '<a href="/2">x</a>'),
        f"{A}/2": page(tags("/2.jpg")),
    }
    project, site = OwnProject(tmp_path, source), AnySite(pages)
    done = project.crawl("ay", site, "-s", more)
    assert done.returncode == 3
    assert limit in last_line(done)
    assert project.crawl("ay", site).returncode == 0
    assert len(project.records("ay")) == 3
