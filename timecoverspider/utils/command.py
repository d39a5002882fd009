"""What the commands that use a data set have in common."""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError
from scrapy.settings import BaseSettings

from timecoverspider.dataset.layout import Layout
from timecoverspider.utils.spider import dataset_folder

if TYPE_CHECKING:
    from timecoverspider.dataset.dataset import Dataset


class DatasetCommand(ScrapyCommand):
    """A command that uses the data set of the spider ``spider_name``, by default of MAIN_SPIDER."""

    spider_name = ""  # as on the command line

    def name_spider(self, names: list[str]) -> None:
        """Take the arguments that name a spider: at most one.

        Raises: UsageError if there are more, or if one is an unknown option.
        """
        if unknown := [name for name in names if name.startswith("-")]:
            raise UsageError(f"there is no option {unknown[0]}")
        if len(names) > 1:
            raise UsageError("name at most one spider")
        self.spider_name = names[0] if names else ""

    @property
    def project_settings(self) -> BaseSettings:
        """The settings of the project and of the command line."""
        assert self.settings is not None  # noqa: S101 (set by scrapy.cmdline)
        return self.settings

    @cached_property
    def spider_settings(self) -> BaseSettings:
        """The settings with those of the spider, which may name another folder."""
        assert self.crawler_process is not None  # noqa: S101 (set by scrapy.cmdline)
        settings, spiders = self.project_settings.copy(), self.crawler_process.spider_loader
        if self._name in spiders.list():
            spiders.load(self._name).update_settings(settings)
        return settings

    @property
    def _name(self) -> str:
        return self.spider_name or str(self.project_settings["MAIN_SPIDER"])

    @property
    def layout(self) -> Layout:
        """The names in the folder of the data set.

        Raises: UsageError if the spider's name cannot be the name of a folder.
        """
        try:
            folder = dataset_folder(self.spider_settings, self._name)
        except ValueError as error:
            raise UsageError(str(error)) from error
        return Layout(Path(os.path.realpath(folder)))  # also of a link to itself

    def open_dataset(self) -> "Dataset":
        """Open the data set for reading.

        Raises: UsageError if the command line names a spider, and the data set is another spider's; DatasetError if
        the data set cannot be used.
        """
        from timecoverspider.dataset.dataset import Dataset  # noqa: PLC0415 (--help does not need it)

        dataset = Dataset(self.layout.folder, self.spider_settings["CATALOG_URL"])
        if self.spider_name and dataset.catalog.spider != self.spider_name:
            spider, folder = dataset.catalog.spider, dataset.folder
            dataset.close()
            raise UsageError(f"{folder} belongs to the spider {spider!r}, not to {self.spider_name!r}")
        return dataset
