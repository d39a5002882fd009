"""Look at the quality of a data set's images: duplicates, placeholders, what is odd, what a decoder complains about.

All that is found is a hint for a person, who alone knows whether two covers of one issue are too many.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.exports.collection import Entry, read_collection
from timecoverspider.exports.decoding import UnreadableImageError, read_rgb
from timecoverspider.exports.quality.distinct import Distinct
from timecoverspider.exports.quality.looks import Look, look_at_all
from timecoverspider.exports.quality.odd import PLACEHOLDER, odd_sizes, rare, wrong_name
from timecoverspider.exports.quality.similarity import Pair, find_candidates, find_near_duplicates, find_same

STEPS = 3  # how often an image is counted by inspect: looked at, compared with all others, with the nearest again
_SERVES = 3  # records with the same file under several paths from which on the file is called a placeholder


@dataclass(frozen=True, slots=True)
class Hint:
    """Something that a person should look at."""

    what: str  # duplicate, near duplicate, placeholder, odd size, odd mode, odd format, decoder warning, bad line
    subject: str  # a path below FILES_STORE, or a line of distinct.txt
    reason: str
    page_url: str = ""  # the page of the image
    others: tuple[str, ...] = ()  # the paths of the images that the subject is like


def inspect(dataset: Dataset, done: Callable[[int], object]) -> list[Hint]:
    """Return hints on the quality of the images, by kind, the oldest image first; change nothing.

    Pairs in ``distinct.txt`` are not named. *done* gets the number of images of each step; the sum is STEPS times the
    number of images, or less. Images that cannot be decoded are left out: ``verify`` names them.

    Raises: CatalogError if the catalog cannot be read.
    """
    entries = read_collection(dataset)
    distinct = Distinct(dataset.layout.distinct, {entry.image.path for entry in entries})
    groups = _groups(entries, distinct)
    looks = look_at_all(dataset.folder, entries, done)
    name = dataset.layout.path(dataset.layout.distinct)
    return [
        *_shared(groups, Counter(image.path for record in dataset.records() for image in record.images)),
        *_alike(dataset, _first_of_each(looks), distinct, done),
        *_odd(looks),
        *(_hint("decoder warning", look.entry, look.complaint) for look in looks if look.complaint),
        *(
            Hint("bad line", f"{name}:{number}" if number else name, problem)
            for number, problem in distinct.problems.items()
        ),
    ]


def _groups(entries: Sequence[Entry], distinct: Distinct) -> list[list[Entry]]:
    """Return the images by content, without those that are distinct from the first one."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        group = groups.setdefault(entry.image.checksum, [])
        if not group or (group[0].image.path, entry.image.path) not in distinct:
            group.append(entry)
    return list(groups.values())


def _shared(groups: list[list[Entry]], records: Counter[str]) -> Iterator[Hint]:
    """Name the files that serve for several records, and files with equal bytes."""
    placeholders, duplicates = [], []
    for first, *others in groups:
        serves = sum(records[entry.image.path] for entry in (first, *others))
        if serves >= _SERVES or records[first.image.path] > 1:
            reason = f"the image serves for {serves:,} records"
            placeholders.append(_hint(PLACEHOLDER, first, reason, *(other.image.path for other in others)))
        else:
            duplicates += [_like("duplicate", other, "the same file as", first) for other in others]
    yield from (*placeholders, *duplicates)


def _first_of_each(looks: list[Look]) -> list[Look]:
    """Return the images without those whose bytes equal those of an earlier one."""
    return list({look.entry.image.checksum: look for look in reversed(looks)}.values())[::-1]


def _alike(dataset: Dataset, looks: list[Look], distinct: Distinct, done: Callable[[int], object]) -> Iterator[Hint]:
    """Name the images with the same pixels, and near duplicates."""
    if len(looks) < 2:
        return
    thumbnails = np.stack([look.thumbnail for look in looks])
    candidates = find_candidates(thumbnails, done)
    same = _same_pixels(dataset, looks, find_same(thumbnails, candidates))
    near = [pair for pair in find_near_duplicates(thumbnails, candidates, done) if pair not in same]
    for what, verb, pairs in (("duplicate", "the same pixels as", same), ("near duplicate", "looks like", near)):
        for first, second in pairs:
            if (looks[first].path, looks[second].path) not in distinct:
                yield _like(what, looks[second].entry, verb, looks[first].entry)


def _same_pixels(dataset: Dataset, looks: list[Look], pairs: list[Pair]) -> list[Pair]:
    """Return each image with the first one that has equal pixels, without alpha; only images of *pairs* are decoded."""
    pairs = [pair for pair in pairs if looks[pair.first].size == looks[pair.second].size]
    firsts: dict[bytes, int] = {}
    found = []
    for number in sorted({number for pair in pairs for number in pair}):
        try:
            pixels = read_rgb(dataset.folder / looks[number].path).tobytes()
        except UnreadableImageError:  # the file has changed since it was looked at
            continue
        first = firsts.setdefault(blake2b(pixels).digest(), number)
        if first != number:
            found.append(Pair(first, number))
    return found


def _odd(looks: list[Look]) -> Iterator[Hint]:
    sizes = odd_sizes([look.size for look in looks])
    for kind in (PLACEHOLDER, "odd size"):
        yield from (_hint(what, looks[number].entry, why) for number, (what, why) in sizes.items() if what == kind)
    for number, reason in rare([look.mode for look in looks]).items():
        yield _hint("odd mode", looks[number].entry, reason)
    formats = rare([look.format for look in looks])
    for number, look in enumerate(looks):
        if reason := wrong_name(look.path, look.format) or formats.get(number, ""):
            yield _hint("odd format", look.entry, reason)


def _like(what: str, entry: Entry, verb: str, other: Entry) -> Hint:
    return _hint(what, entry, f"{verb} {other.image.path} (<{other.page_url}>)", other.image.path)


def _hint(what: str, entry: Entry, reason: str, *others: str) -> Hint:
    return Hint(what, entry.image.path, reason, entry.page_url, others)
