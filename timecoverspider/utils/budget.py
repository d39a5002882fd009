"""Limit the memory of response bodies."""

from asyncio import Event


class Budget:
    """Bytes of bodies that may be in memory at a time: while they are read, and while images wait for the disk."""

    def __init__(self, size: int) -> None:
        self._size, self._held = size, 0
        self._room = Event()

    async def take(self, size: int) -> None:
        """Wait until there is room for a body, or no other body, and count it."""
        while self._held and self._held + size > self._size:
            self._room.clear()
            await self._room.wait()
        self._held += size

    def add(self, size: int) -> None:
        """Count a body that is in memory already."""
        self._held += size

    def release(self, size: int) -> None:
        """Stop counting a body."""
        self._held -= size
        self._room.set()
