"""Images are decoded as OpenCV's ``imread`` does; what it does is known from version 5.0, see the slow tests."""

import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from timecoverspider.dataset.images import MAX_PIXELS
from timecoverspider.exports.decoding import UnreadableImageError, read_rgb

ROWS, COLUMNS = np.mgrid[0:30, 0:40]
PIXELS = np.stack([COLUMNS * 6, ROWS * 8, ROWS + COLUMNS], -1).astype(np.uint8)
PHOTO = Image.fromarray(PIXELS)
GREY, PALETTE = PHOTO.convert("L"), PHOTO.convert("P", palette=Image.Palette.ADAPTIVE)
ALPHA = Image.fromarray((COLUMNS * 6).astype(np.uint8))
RGBA, LA = Image.merge("RGBA", (*PHOTO.split(), ALPHA)), Image.merge("LA", (GREY, ALPHA))
DEEP = (np.arange(1200) * 54 + 37).astype(np.uint16).reshape(30, 40)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def orientation(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = number
    return exif


def png(depth: int, colours: int, rows: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG of 40x30 pixels in a form that Pillow does not write."""
    header = struct.pack(">IIBBBBB", 40, 30, depth, colours, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b"")]
    framed = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def small_frame(image: Image.Image, background: int, transparency: int | None = None) -> bytes:
    """Return a GIF of 50x50 pixels with an image in the middle."""
    content = bytearray(encoded(image, "GIF"))
    content[6:10], content[11] = struct.pack("<HH", 50, 50), background
    frame = content.index(b"\x2c", 13 + 3 * 2 ** ((content[10] & 7) + 1))
    content[frame + 1 : frame + 5] = struct.pack("<HH", 5, 10)
    if transparency is not None:
        content[frame:frame] = b"\x21\xf9\x04\x01\0\0" + bytes([transparency, 0])
    return bytes(content)


def local_palette(content: bytes) -> bytes:
    """Return a GIF whose palette is that of the frame, not of the file."""
    size = 3 * 2 ** ((content[10] & 7) + 1)
    frame = content.index(b"\x2c", 13 + size)
    flags = bytes([0x80 | (content[10] & 7)])
    head = content[:10] + bytes([content[10] & 0x7F]) + content[11:13]
    return head + content[13 + size : frame + 9] + flags + content[13 : 13 + size] + content[frame + 10 :]


def all_kinds() -> Iterator[tuple[str, bytes]]:
    for mode in ("L", "RGB", "CMYK"):
        yield f"{mode}.jpg", encoded(PHOTO.convert(mode), "JPEG", quality=90)
        yield f"{mode}-progressive.jpg", encoded(PHOTO.convert(mode), "JPEG", quality=90, progressive=True)
    ink = Image.fromarray(np.dstack([PIXELS, 255 - PIXELS[..., 0] // 2]), "CMYK")
    yield "dark-CMYK.jpg", encoded(ink, "JPEG", quality=95)
    yield "CMYK-turned.jpg", encoded(ink, "JPEG", exif=orientation(6))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield "profile.jpg", encoded(PHOTO, "JPEG", icc_profile=profile)
    yield "not-YCbCr.jpg", encoded(PHOTO, "JPEG", keep_rgb=True)
    yield "two.jpg", encoded(PHOTO, "MPO", save_all=True, append_images=[PHOTO.rotate(90)])
    for number in range(10):
        for kind, options in (("JPEG", {}), ("PNG", {}), ("WEBP", {"lossless": True})):
            yield f"turned-{number}.{kind}", encoded(PHOTO, kind, exif=orientation(number), **options)
    for kind in ("JPEG", "WEBP"):
        yield f"xmp.{kind}", encoded(PHOTO, kind, xmp=XMP)
    yield "exif-and-xmp.jpg", encoded(PHOTO, "JPEG", xmp=XMP, exif=orientation(3))
    for invalid in (b"no directory", b"MM\0*\0\0"):
        yield f"invalid-exif-{len(invalid)}.jpg", encoded(PHOTO, "JPEG", exif=b"Exif\0\0" + invalid)
    for image in (PHOTO, GREY, RGBA, LA, PALETTE, PHOTO.convert("1")):
        yield f"{image.mode}.png", encoded(image, "PNG")
    for bits in (1, 2, 4):
        few = PHOTO.convert("P", palette=Image.Palette.ADAPTIVE, colors=2**bits)
        yield f"palette-{bits}.png", encoded(few, "PNG", bits=bits)
        yield f"grey-{bits}.png", png(bits, 0, PIXELS[:, : 5 * bits, 0])
    yield "transparent-colour.png", encoded(PALETTE, "PNG", transparency=3)
    yield "transparent-palette.png", encoded(PALETTE, "PNG", transparency=bytes(range(256)))
    yield "transparent-grey.png", encoded(GREY, "PNG", transparency=100)
    yield "transparent-rgb.png", encoded(PHOTO, "PNG", transparency=(6, 8, 2))
    yield "turned-grey-16.png", encoded(Image.fromarray(DEEP), "PNG", exif=orientation(6))
    yield "grey-16.png", png(16, 0, DEEP.astype(">u2"))
    yield "transparent-grey-16.png", png(16, 0, DEEP.astype(">u2"), (b"tRNS", b"\0\5"))
    yield "grey-alpha-16.png", png(16, 4, np.dstack([DEEP, DEEP[::-1]]).astype(">u2"))
    yield "rgb-16.png", png(16, 2, np.dstack([DEEP, DEEP[::-1], DEEP[:, ::-1]]).astype(">u2"))
    yield "rgba-16.png", png(16, 6, np.dstack([DEEP, DEEP[::-1], DEEP[:, ::-1], DEEP]).astype(">u2"))
    yield "gamma.png", png(8, 2, PIXELS, (b"gAMA", struct.pack(">I", 45455)))
    yield "background.png", png(8, 6, np.asarray(RGBA), (b"bKGD", struct.pack(">HHH", 255, 0, 0)))
    yield "animated.png", encoded(PHOTO, "PNG", save_all=True, append_images=[PHOTO.rotate(180)])
    yield "animated.gif", encoded(PALETTE, "GIF", save_all=True, append_images=[PALETTE.rotate(180)])
    for image in (PALETTE, GREY, PHOTO.convert("1")):
        yield f"{image.mode}.gif", encoded(image, "GIF")
        yield f"small-{image.mode}.gif", small_frame(image, background=1)
    yield "transparent.gif", encoded(PALETTE, "GIF", transparency=3, background=7)
    yield "interlaced.gif", encoded(PALETTE, "GIF", interlace=1)
    yield "small-transparent.gif", small_frame(PALETTE, 9, 3)
    yield "small-local.gif", local_palette(small_frame(PALETTE, 9, 3))
    for image in (PHOTO, RGBA):
        yield f"{image.mode}.webp", encoded(image, "WEBP")
        yield f"{image.mode}-lossless.webp", encoded(image, "WEBP", lossless=True, exact=True)
        more = [image.rotate(180)]
        yield f"{image.mode}-animated.webp", encoded(image, "WEBP", lossless=True, save_all=True, append_images=more)


@pytest.mark.slow
def test_all_kinds_of_images_are_decoded_as_by_opencv(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="needs tests/requirements-slow.txt")
    different = {}
    for name, content in all_kinds():
        file = tmp_path / name
        file.write_bytes(content)
        ours, theirs = np.asarray(read_rgb(file)), cv2.imread(str(file))[..., ::-1]
        if ours.shape != theirs.shape or (ours != theirs).any():
            different[name] = ours.shape, theirs.shape
    assert different == {}


@pytest.fixture
def decode(tmp_path: Path) -> Callable[[bytes], np.ndarray]:
    def decode(content: bytes) -> np.ndarray:
        (tmp_path / "image").write_bytes(content)
        return np.asarray(read_rgb(tmp_path / "image"))

    return decode


Decode = Callable[[bytes], np.ndarray]


@pytest.mark.parametrize("image", [RGBA, LA], ids=["RGBA", "LA"])
def test_alpha_is_dropped_and_not_applied(decode: Decode, image: Image.Image) -> None:
    assert (decode(encoded(image, "PNG")) == decode(encoded(image.convert(image.mode[:-1]), "PNG"))).all()


@pytest.mark.parametrize("transparency", [3, bytes(256)])
def test_transparent_palette_is_decoded_without_a_warning(decode: Decode, transparency: int | bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (decode(encoded(PALETTE, "PNG", transparency=transparency)) == decode(encoded(PALETTE, "PNG"))).all()


def test_grey_of_16_bits_loses_its_lower_8_bits(decode: Decode) -> None:
    expected = np.repeat(DEEP[..., None] >> 8, 3, axis=2)
    assert (decode(png(16, 0, DEEP.astype(">u2"))) == expected).all()


def test_cmyk_is_converted_with_opencvs_integers(decode: Decode) -> None:
    # 255 * 255 >> 8 is 254: the darkest cyan is 1, not 0.
    assert decode(encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG"))[0, 0].tolist() == [1, 255, 255]
    assert decode(encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 255)), "JPEG"))[0, 0].tolist() == [0, 0, 0]


def test_gif_shows_the_background_beside_its_frame_and_where_it_is_transparent(decode: Decode) -> None:
    pixels, colours = (
        decode(small_frame(PALETTE, 9, 3)).copy(),
        np.asarray(PALETTE.getpalette(), np.uint8).reshape(-1, 3),
    )
    inside = np.asarray(PALETTE)
    assert (pixels[10:40, 5:45] == colours[np.where(inside == 3, 9, inside)]).all()
    pixels[10:40, 5:45] = colours[9]
    assert (pixels == colours[9]).all()


def test_animation_is_its_first_frame(decode: Decode) -> None:
    content = encoded(PALETTE, "GIF", save_all=True, append_images=[PALETTE.rotate(180)])
    assert (decode(content) == np.asarray(PALETTE.convert("RGB"))).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_turns_the_image(decode: Decode, kind: str) -> None:
    straight = decode(encoded(PHOTO, kind))
    assert (decode(encoded(PHOTO, kind, exif=orientation(6))) == np.rot90(straight, -1)).all()
    assert (decode(encoded(PHOTO, kind, exif=orientation(3))) == np.rot90(straight, 2)).all()


def test_orientation_in_xmp_and_invalid_exif_are_ignored(decode: Decode) -> None:
    straight = decode(encoded(PHOTO, "JPEG"))
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    assert (decode(encoded(PHOTO, "JPEG", xmp=XMP)) == straight).all()
    assert (decode(encoded(PHOTO, "PNG", pnginfo=text)) == PIXELS).all()
    maker = Image.Exif()
    maker[271] = "Maker"
    assert (decode(encoded(PHOTO, "JPEG", xmp=XMP, exif=maker)) == straight).all()
    for invalid in (b"Exif\0\0no directory", b"Exif\0\0MM\0*\0\0"):
        assert (decode(encoded(PHOTO, "JPEG", exif=invalid)) == straight).all()


def test_large_jpeg_is_decoded_at_a_fraction_of_its_size() -> None:
    content = BytesIO(encoded(PHOTO.resize((800, 600)), "JPEG"))
    assert read_rgb(content, at_least=(150, 100)).size == (200, 150)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_truncated_image_is_unreadable(decode: Decode, kind: str) -> None:
    content = encoded(PALETTE if kind == "GIF" else PHOTO, kind)
    with pytest.raises(UnreadableImageError, match=r"\w+"):
        decode(content[: len(content) // 2])


def test_image_of_another_format_is_unreadable(decode: Decode) -> None:
    with pytest.raises(UnreadableImageError, match="not a valid JPEG"):
        decode(encoded(PHOTO, "BMP"))


def test_image_of_too_many_pixels_is_not_decoded(decode: Decode) -> None:
    width = MAX_PIXELS // 1000 + 1
    content = bytearray(encoded(PHOTO, "GIF"))
    content[6:10] = struct.pack("<HH", width, 1000)
    with pytest.raises(UnreadableImageError, match=r"50,?000,?000 pixels"):
        decode(bytes(content))


def test_missing_file_folder_and_pipe_are_unreadable(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("missing", "No such file"), ("", "not a regular file"), ("pipe", "not a regular file")):
        with pytest.raises(UnreadableImageError, match=reason):
            read_rgb(tmp_path / name)
