"""Find JPEG files whose decoder complains without failing. Pillow does not pass on the warnings of libjpeg.

If a stream ends early, libjpeg fills the rest with grey or with the last colour, warns, and succeeds. If bytes are
left over, libjpeg skips them, warns, and succeeds. One wrong bit in a stream has one of these two effects, because
the decoder no longer knows where a code begins. So the stream is decoded again with other bytes at its end: if an
image changes where bytes were added, the image needs more bytes; if an image does not change where bytes were
replaced, no pixel needs them.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b
from io import BytesIO

from PIL import Image

_OTHER = bytes.fromhex("a35c91e84d72b60f6ae1589b34c7d20e")  # looks random, and has no marker (ff)
_LAST = 8  # bytes that are replaced: one to ten blocks of 8x8 pixels
_END = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")  # the marker after a scan
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
_HUFFMAN = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive; arithmetic coding may drop bytes at the end
_LARGE = 4_000_000  # pixels above which the image is not decoded at full size


class _Stream:
    """The scans of a JPEG stream, as offsets."""

    def __init__(self, content: bytes) -> None:
        """Read all markers up to the end of the image.

        Raises: ValueError, with the reason, if bytes between two markers belong to neither, or the end is missing.
        """
        self.scans: list[tuple[int, int]] = []
        self.kinds: set[int] = set()
        at = 2
        while True:
            if content[at : at + 1] != b"\xff":
                raise ValueError("there are bytes between two markers" if at < len(content) else "the end is missing")
            while content[at : at + 1] == b"\xff":
                at += 1
            marker = content[at] if at < len(content) else 0xD9
            at += 1
            if marker == 0xD9:
                return
            if marker in _ALONE:
                continue
            at += int.from_bytes(content[at : at + 2], "big")
            self.kinds.add(marker)
            if marker == 0xDA:
                end = _END.search(content, at)
                self.scans.append((at, end.start() if end else len(content)))
                at = self.scans[-1][1]


def complaint(content: bytes) -> str:
    """Return what a strict decoder says of a JPEG file that Pillow decodes, or an empty string.

    Not found: a stream that lacks less than a block, fewer than eight surplus bytes, surplus bytes in progressive files
    and before a restart marker, and files with arithmetic coding.
    """
    try:
        stream = _Stream(content)
    except ValueError as error:
        return str(error)
    if not stream.scans or not stream.kinds & _HUFFMAN:
        return ""
    if any(_restarts_out_of_order(content[start:end]) for start, end in stream.scans):
        return "the restart markers are out of order"
    is_single = len(stream.scans) == 1  # at an eighth of its size, a progressive image lacks most of its scans
    try:
        if _pixels(content, is_single) != _pixels(_with_more(content, stream), is_single):
            return "the data ends before the last pixel"
        if is_single and _has_surplus(content, stream):
            return "the data has bytes that no pixel needs, or is damaged"
    except OSError:  # Pillow cannot decode the image with other bytes: nothing is known
        pass
    return ""


def _restarts_out_of_order(scan: bytes) -> bool:
    return any(marker[0] != 0xD0 + number % 8 for number, marker in enumerate(_RESTART.findall(scan)))


def _with_more(content: bytes, stream: _Stream) -> bytes:
    """Add bytes to the end of each scan and before each restart marker."""
    return b"".join(_parts(content, stream))


def _parts(content: bytes, stream: _Stream) -> Iterator[bytes]:
    at = 0
    for start, end in stream.scans:
        yield content[at:start]
        yield _RESTART.sub(lambda marker: _OTHER + marker[0], content[start:end])
        yield _OTHER
        at = end
    yield content[at:]


def _has_surplus(content: bytes, stream: _Stream) -> bool:
    [(start, end)] = stream.scans
    first = max(end - _LAST, start)
    changed = content[:first] + _OTHER[: end - first] + content[end:]
    if _pixels(content, True) != _pixels(changed, True):
        return False
    return _pixels(content, False) == _pixels(changed, False)


def _pixels(content: bytes, small: bool) -> bytes:
    """Return a checksum of the pixels, at an eighth of the size if *small* or if the image is large."""
    with Image.open(BytesIO(content), formats=["JPEG"]) as image:
        if small or image.width * image.height > _LARGE:
            image.draft(None, (1, 1))
        return blake2b(image.tobytes(), digest_size=16).digest()
