"""This project, but images are not decoded: it reads their headers alone, to show what decoding costs.

A crawl uses the pipeline of this module, and the pipeline runs this module as the process that stores images.
"""

from io import BytesIO

from timecoverspider.dataset import image_store_worker


def _size_in_header(content: bytes) -> tuple[int, int]:
    from PIL import Image  # noqa: PLC0415 (as image_store_worker does)

    with Image.open(BytesIO(content)) as image:
        return image.size


if __name__ == "__main__":
    image_store_worker.validate_image = _size_in_header
    image_store_worker.main()
else:
    from timecoverspider.pipelines import ImageStorePipeline

    class UnverifiedPipeline(ImageStorePipeline):
        """Stores images without decoding them."""

    image_store_worker.__name__ = __name__  # the module that the image store runs
