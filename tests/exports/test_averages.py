"""Averages: how they are computed, and what becomes of the files."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from mock_archive import MockArchive
from PIL import Image
from sample_dataset import store_images
from scrapy_command import PROJECT

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.exceptions import DatasetLockedError
from timecoverspider.exports.averages import Output, Written, gaps, pick_images, resize, write_averages
from timecoverspider.replica.issues import issue_dates

NOISE = np.random.default_rng(14).integers(0, 256, (60, 40, 30, 3), dtype=np.uint8)  # 60 images of 30x40 pixels
SIZE = (30, 40)


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def averages(folder: Path, size: tuple[int, int] = SIZE, by: str = "decade") -> tuple[Written, list[str]]:
    """Write the averages of a data set to the folder out, and return what was written and reported."""
    lines: list[str] = []
    done: list[int] = []
    with Dataset(folder) as dataset:
        images, _ = pick_images(dataset, by)
    output = Output(folder / "out", by, lines.append)
    written = write_averages(images, folder, output, size=size, report=lines.append, done=done.append)
    output.finish(image.period for image in images)
    assert sum(done) == len(images)
    return written, lines


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "out").iterdir())


def test_average_is_the_mean_rounded_down_of_each_period(tmp_path: Path) -> None:
    days = ["1900", "1899-12-31", "1905-02", "2010-01-01T00:00:00Z", "1909-12-31"]
    store_images(tmp_path, [(day, encoded(image)) for day, image in zip(days, NOISE, strict=False)])
    assert averages(tmp_path) == (Written(3, 5, 0), [])
    assert names(tmp_path) == ["1890.png", "1900.png", "2010.png"]
    assert (pixels(tmp_path / "out" / "1890.png") == NOISE[1]).all()
    assert (pixels(tmp_path / "out" / "1900.png") == NOISE[[0, 2, 4]].astype(int).sum(0) // 3).all()


def test_years_have_a_file_each(tmp_path: Path) -> None:
    days = ["0987-01-01", "1923-03-03", "1923-12-31", "1924-01-01"]
    store_images(tmp_path, [(day, encoded(image)) for day, image in zip(days, NOISE, strict=False)])
    assert averages(tmp_path, by="year")[0] == Written(3, 4, 0)
    assert names(tmp_path) == ["0987.png", "1923.png", "1924.png"]


def test_sum_of_a_period_of_more_than_257_white_images_does_not_overflow(tmp_path: Path) -> None:
    white = encoded(np.full((2, 2, 3), 255, np.uint8))
    store_images(tmp_path, [("1950-01-01", white)] * 300)
    assert averages(tmp_path, (4, 4))[0] == Written(1, 300, 0)
    assert (pixels(tmp_path / "out" / "1950.png") == 255).all()


def test_images_of_many_sizes_average_to_the_mean_of_the_resized_images(tmp_path: Path) -> None:
    images = [image[: 40 - number % 5, : 30 - number % 3] for number, image in enumerate(NOISE)]
    store_images(tmp_path, [("1950-01-01", encoded(image)) for image in images])
    averages(tmp_path, (20, 50))
    expected = np.mean([resize(image, (20, 50)) for image in images], axis=0)
    difference = pixels(tmp_path / "out" / "1950.png") + 0.5 - expected
    assert abs(difference).max() < 0.75  # 0.5, and the difference between 60 roundings and 16
    assert abs(difference).mean() < 0.3


def test_resized_array_is_bilinear_without_antialiasing() -> None:
    columns = np.zeros((1, 8, 3), np.uint8)
    columns[0, ::4] = 200
    assert resize(columns, (2, 1))[0, :, 0].tolist() == [0, 0]  # the mean of the columns 1 and 2, and of 5 and 6
    assert resize(columns[:, :2], (4, 1))[0, :, 0].tolist() == [200, 150, 50, 0]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(400, 527), (33, 41), (7, 3), (1, 1), (30, 80)])
def test_resized_array_differs_from_opencvs_by_one_level_at_most(size: tuple[int, int]) -> None:
    cv2 = pytest.importorskip("cv2", reason="needs tests/requirements-slow.txt")
    for image in (NOISE[0], NOISE[1, :1], NOISE[2, :, :1], NOISE[3:7].reshape(160, 30, 3)):
        difference = resize(image, size).astype(int) - cv2.resize(np.ascontiguousarray(image), size)
        assert abs(difference).max() <= 1
        assert abs(difference).mean() < 0.35  # OpenCV truncates fractions


def test_large_images_are_averaged_too(tmp_path: Path) -> None:
    large = np.zeros((1001, 2000, 3), np.uint8)
    large[500:] = 100
    store_images(tmp_path, [("1950-01-01", encoded(large)), ("1950-01-02", encoded(large))])
    averages(tmp_path, (1, 2))
    assert pixels(tmp_path / "out" / "1950.png")[:, 0, 0].tolist() == [0, 100]


def test_unreadable_images_are_named_with_page_and_reason_and_left_out(tmp_path: Path) -> None:
    files = store_images(
        tmp_path, [("1950-01-01", encoded(image)) for image in NOISE[:5]] + [("1960", encoded(NOISE[0]))]
    )
    files[1].unlink()
    files[3].write_bytes(files[3].read_bytes()[:500])
    files[5].write_bytes(b"no image")
    written, lines = averages(tmp_path)
    assert written == Written(1, 3, 3)
    assert [line.partition(": ")[2].partition(">")[0] for line in lines] == [
        f"full/{number}.img (<http://example.com/{number}.html" for number in (1, 3, 5)
    ]
    assert "No such file" in lines[0]
    assert "truncated" in lines[1]
    assert (pixels(tmp_path / "out" / "1950.png") == NOISE[[0, 2, 4]].astype(int).sum(0) // 3).all()


def test_period_whose_images_are_all_unreadable_keeps_its_average(tmp_path: Path) -> None:
    [file] = store_images(tmp_path, [("1950-01-01", encoded(NOISE[0]))])
    averages(tmp_path)
    file.unlink()
    assert averages(tmp_path)[0] == Written(0, 0, 1)
    assert (pixels(tmp_path / "out" / "1950.png") == NOISE[0]).all()


def test_second_run_writes_the_same_bytes(tmp_path: Path) -> None:
    store_images(tmp_path, [("1950-01-01", encoded(image)) for image in NOISE])
    averages(tmp_path, (20, 20))
    first = (tmp_path / "out" / "1950.png").read_bytes()
    averages(tmp_path, (20, 20))
    assert (tmp_path / "out" / "1950.png").read_bytes() == first


def test_averages_of_periods_that_are_gone_are_removed_if_this_program_wrote_them(tmp_path: Path) -> None:
    days = ["1950-01-01", "1961-01-01"]
    store_images(tmp_path, [(day, encoded(NOISE[0])) for day in days])
    averages(tmp_path, by="year")
    averages(tmp_path)
    (tmp_path / "out" / "1970.png").write_bytes(encoded(NOISE[1]))
    (tmp_path / "out" / "1980.png").write_bytes(b"no image")
    store_images(tmp_path / "other", [("1950-01-01", encoded(NOISE[0]))])
    (tmp_path / "out").rename(tmp_path / "other" / "out")
    assert averages(tmp_path / "other")[1] == [
        f"removed {tmp_path}/other/out/1960.png: the decade has no images any more"
    ]
    assert names(tmp_path / "other") == [
        "1950.png",
        "1961.png",
        "1970.png",
        "1980.png",
    ]  # 1961 is the average of a year


def test_file_of_somebody_else_is_renamed_not_replaced(tmp_path: Path) -> None:
    store_images(tmp_path, [("1950-01-01", encoded(NOISE[0]))])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "1950.png").write_bytes(b"mine")
    _, [line] = averages(tmp_path)
    average, kept = names(tmp_path)
    assert average == "1950.png"
    assert (tmp_path / "out" / kept).read_bytes() == b"mine"
    assert kept in line


def test_gaps_are_the_periods_between_the_first_and_the_last(tmp_path: Path) -> None:
    days = ["1919", "1930", "1960-01-01", "1969", "1970"]
    store_images(tmp_path, [(day, encoded(NOISE[0])) for day in [*days, "", "soon"]])
    with Dataset(tmp_path) as dataset:
        images, undated = pick_images(dataset, "decade")
        assert gaps(images, "decade") == ["1920", "1940 to 1950"]
        assert gaps(pick_images(dataset, "year")[0], "year") == ["1920 to 1929", "1931 to 1959", "1961 to 1968"]
    assert (len(images), undated) == (5, 2)
    assert gaps([], "decade") == []


def test_folder_that_another_process_writes_to_is_refused(tmp_path: Path) -> None:
    output = Output(tmp_path, "decade", print)
    with pytest.raises(DatasetLockedError, match="in use by process"):
        Output(tmp_path, "year", print)
    output.finish([])
    Output(tmp_path, "year", print).finish([])
    assert list(tmp_path.iterdir()) == []


def test_drafts_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    store_images(tmp_path, [("1950-01-01", encoded(NOISE[0]))])
    (tmp_path / "out" / ".drafts").mkdir(parents=True)
    (tmp_path / "out" / ".drafts" / "1950.png.123").write_bytes(b"half")
    averages(tmp_path)
    assert names(tmp_path) == ["1950.png"]


@pytest.mark.slow
def test_averages_of_a_crawl_are_those_of_the_follow_up(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="needs tests/requirements-slow.txt")
    days = issue_dates()[::40]
    assert MockArchive(days).crawl(tmp_path).returncode == 0
    (tmp_path / "theirs").mkdir()
    subprocess.run(
        [sys.executable, PROJECT / "tests" / "tools" / "tutorial" / "averages.py", "theirs"], cwd=tmp_path, check=True
    )
    with Dataset(tmp_path / "output") as dataset:
        images, _ = pick_images(dataset, "decade")
    output = Output(tmp_path / "ours", "decade", print)
    write_averages(images, tmp_path / "output", output, size=(400, 527), report=print, done=print)
    output.finish(image.period for image in images)
    files = sorted((tmp_path / "theirs").iterdir())
    assert [file.name for file in files] == [path.name for path in sorted((tmp_path / "ours").iterdir())]
    assert [file.stem for file in files] == [f"{decade}" for decade in range(1920, 2020, 10)]
    for file in files:
        ours, theirs = (cv2.imread(str(path)).astype(int) for path in (tmp_path / "ours" / file.name, file))
        # Most covers have the size of the averages; the others differ because OpenCV truncates fractions.
        assert abs(ours - theirs).mean() < 0.2
