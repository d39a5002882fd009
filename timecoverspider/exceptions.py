"""What keeps a crawl from starting, as one line for the person who started it."""


class DatasetError(Exception):
    """The data set cannot be worked on. Raised, but for CatalogError, before anything is asked for or changed."""

    exit_status = 1


class CatalogError(DatasetError):
    """The catalog cannot be read or written. Raised by the catalog, when it is opened and by whatever it does later."""


class LockedError(DatasetError):
    """Another crawl is at work on the data set. Raised by the dataset when it is opened."""

    exit_status = 5


class FeedError(Exception):
    """A feed could not be published, and the log says why. Raised when the spider closes."""
