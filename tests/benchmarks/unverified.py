"""This project without the decoding of pictures, of which it reads the headers alone: to see what decoding costs.

A crawl takes the pipeline from here, and the pipeline runs this module as the process that stores pictures.
"""

from io import BytesIO

from timecoverspider.dataset import image_store_worker


def _size_in_header(content: bytes) -> tuple[int, int]:
    from PIL import Image  # noqa: PLC0415 (as the process does that this one stands in for)

    with Image.open(BytesIO(content)) as picture:
        return picture.size


if __name__ == "__main__":
    image_store_worker.validate_image = _size_in_header
    image_store_worker.main()
else:
    from timecoverspider.pipelines import ImageStorePipeline

    class UnverifiedPipeline(ImageStorePipeline):
        """Believes what arrives."""

    image_store_worker.__name__ = __name__  # by which the pipeline finds it
