"""Which pages need not be requested, and which images are damaged."""

import pytest
from sample_dataset import TIME, image

from timecoverspider.dataset.survey import Survey


@pytest.fixture
def survey() -> Survey:
    """Three records, two of which share a damaged image."""
    return Survey(3, dict.fromkeys("pqr", TIME), (), {"full/i.jpg": (image("i"), {1: "q", 2: "p"})})


def test_damaged_image_is_damaged_with_the_pages_of_its_records(survey: Survey) -> None:
    assert survey.damaged == [image("i")]
    assert survey.is_damaged(image("i"))
    assert survey.pages_with(image("i")) == ["p", "q"]


def test_stored_image_is_not_damaged(survey: Survey) -> None:
    assert not survey.is_damaged(image("j"))
    assert survey.pages_with(image("j")) == []


def test_records_with_a_damaged_image_are_not_complete(survey: Survey) -> None:
    assert survey.complete == 1


def test_record_with_two_damaged_images_counts_once() -> None:
    damaged = {f"full/{name}.jpg": (image(name), {1: "p"}) for name in "ij"}
    assert Survey(3, {"p": TIME}, (), damaged).complete == 2


def test_repaired_image_makes_its_records_complete(survey: Survey) -> None:
    survey.repair("full/none.jpg")
    assert survey.complete == 1
    survey.repair("full/i.jpg")
    assert (survey.complete, survey.damaged) == (3, [])
    assert not survey.is_damaged(image("i"))
