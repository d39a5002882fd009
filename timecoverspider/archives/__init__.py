"""Archives, one per module: each answers in place of some hosts. The setting ARCHIVE names the one to use."""

from collections.abc import Collection
from importlib import import_module
from pkgutil import iter_modules

from timecoverspider.archives.base import Archive


def find_archives() -> dict[str, type[Archive]]:
    """Return the archive classes of this package by name."""
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
    return {archive.name: archive for archive in Archive.__subclasses__()}


def find_archive(name: str) -> type[Archive]:
    """Return the archive class with this name.

    Raises: ValueError if there is no such class.
    """
    archives = find_archives()
    if name not in archives:
        raise ValueError(f"ARCHIVE must be {' or '.join(sorted(archives))}, not {name!r}")
    return archives[name]


def stands_in_for(name: str, hosts: Collection[str]) -> bool:
    """Return whether an archive stands in for all of these hosts; there must be one."""
    return bool(hosts) and frozenset(hosts) <= frozenset(find_archive(name).hosts())


def is_archived(hosts: Collection[str]) -> bool:
    """Return whether there is an archive that stands in for all of these hosts, used or not."""
    return any(stands_in_for(name, hosts) for name in find_archives())
