"""Archives, one per module: each answers in place of some hosts. The setting ARCHIVE names the one to use."""

from importlib import import_module
from pkgutil import iter_modules

from timecoverspider.archives.base import Archive


def find_archive(name: str) -> type[Archive]:
    """Return the archive class with this name.

    Raises: ValueError if there is no such class.
    """
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
    archives = {archive.name: archive for archive in Archive.__subclasses__()}
    if name not in archives:
        raise ValueError(f"ARCHIVE must be {' or '.join(sorted(archives))}, not {name!r}")
    return archives[name]
