"""A crawl without allowed_domains requests public hosts, and of other hosts only the one that a start URL names."""

from pathlib import Path

from own_project import AnySite, OwnProject
from scrapy_command import last_line
from serving import serving

from timecoverspider.dataset.dataset import Dataset


def test_images_on_hosts_of_the_own_network_are_refused(tmp_path: Path) -> None:
    site = AnySite({})
    with serving(site.app) as address:
        port = address.rpartition(":")[2]
        images = ["/1.jpg", f"http://localhost:{port}/2.jpg", "http://10.0.0.1/3.jpg", "http://printer.local/4.jpg"]
        site.pages = {f"{address}/": "".join(f'<a href="/{number}">x</a>' for number in range(4))}
        site.pages |= {f"{address}/{number}": f'<img src="{image}">' for number, image in enumerate(images)}
        source = f"""
class Private(Spider):
    name = "private"
    start_urls = ["{address}/"]

    def parse(self, response):
        yield from response.follow_all(css="a", callback=self.read)

    def read(self, response):
        yield {{"file_urls": [response.urljoin(response.css("img").attrib["src"])]}}
"""
        project = OwnProject(tmp_path, source)
        done = project.scrapy("crawl", "private", "-o", "private.json")
    assert done.returncode == 3
    assert "3 missing" in last_line(done)
    assert "Traceback" not in done.stderr
    [record] = project.records("private")
    assert record["file_urls"] == [f"{address}/1.jpg"]
    with Dataset(project.data_set("private")) as dataset:
        assert dataset.catalog.hosts == ["127.0.0.1"]
        reasons = [page.failure for page in dataset.catalog.pages() if page.failure]
    assert ["is on this machine" in reason or "has the port" in reason for reason in reasons] == [True] * 3
