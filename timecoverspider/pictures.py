"""Whether bytes are a whole picture."""

from io import BytesIO

from PIL import Image
from scrapy.pipelines.media import FileException


def picture_size(content: bytes) -> tuple[int, int]:
    """The width and height in pixels of a picture, which is decoded to its end.

    Raises FileException, with the reason, where it is no picture or not a whole one.
    """
    try:
        with Image.open(BytesIO(content)) as picture:
            size = picture.size
            # A JPEG's smallest form: the decoder reads all of the stream, and computes little of it.
            picture.draft("L", (1, 1))
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FileException(f"not a whole picture: {error}") from error
    return size
