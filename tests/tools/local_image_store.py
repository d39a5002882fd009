"""An image store without a process of its own."""

import hashlib
from pathlib import Path

from timecoverspider.dataset.images import StoredImage, validate_image


class LocalImageStore:
    """Stores images without a process of its own; raises *error* instead if there is one."""

    error: OSError | None = None

    def __init__(self, folder: Path, lock: int | None = None) -> None:
        self._folder = folder

    async def store(self, path: str, content: bytes) -> StoredImage:
        size = validate_image(content)
        if self.error:
            raise self.error
        file = self._folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        return StoredImage(hashlib.md5(content).hexdigest(), *size, len(content), "now")

    async def inspect(self, path: str) -> StoredImage:
        return await self.store(path, (self._folder / path).read_bytes())

    async def close(self) -> None:
        pass
