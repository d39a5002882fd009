"""What stands in for which hosts: one archive a module, named by the setting ARCHIVE."""

from importlib import import_module
from pkgutil import iter_modules

from timecoverspider.archives.base import Archive


def find_archive(name: str) -> type[Archive]:
    """Find the archive that has this name.

    Raises: ValueError if there is none.
    """
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
    archives = {archive.name: archive for archive in Archive.__subclasses__()}
    if name not in archives:
        raise ValueError(f"ARCHIVE must be {' or '.join(sorted(archives))}, not {name!r}")
    return archives[name]
