"""Describe an export in Croissant 1.1 (JSON-LD), with its provenance in PROV-O and RAI.

mlcroissant validates joins that find no images: tests count the images that it decodes.
"""

import hashlib
import re
from typing import Any

from timecoverspider.exports.formats import parquet
from timecoverspider.exports.formats.about import About
from timecoverspider.exports.formats.contents import DataFile
from timecoverspider.exports.formats.imagefolder import METADATA
from timecoverspider.exports.formats.table import Column

Json = dict[str, Any]

_TYPES = {"string": "sc:Text", "int64": "sc:Integer", "float64": "sc:Float", "bool": "sc:Boolean", "date32": "sc:Date"}
_FORMATS = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
MIT = "https://spdx.org/licenses/MIT"
_CR = "http://mlcommons.org/croissant/"
_TERMS = (
    "arrayShape citeAs column containedIn equivalentProperty extract field fileProperty fileObject fileSet format "
    "includes isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace "
    "samplingRate separator source subField transform"
).split()
_CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{term: f"cr:{term}" for term in _TERMS},
    "conformsTo": "dct:conformsTo",
    "cr": _CR,
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "prov": "http://www.w3.org/ns/prov#",
    "rai": f"{_CR}RAI/",
    "sc": "https://schema.org/",
}
# The two sides of the join: the line in metadata.jsonl, and the image file.
_LINE: Json = {
    "fileObject": {"@id": METADATA},
    "extract": {"column": "file_name"},
    "transform": {"regex": "^(?:.+/)?([^/]+)$"},
}
_FILE: Json = {"fileSet": {"@id": "image-files"}, "extract": {"fileProperty": "filename"}}


def describe(about: About) -> Json:
    """Return croissant.json."""
    distribution, fields = {
        "imagefolder": _imagefolder,
        "parquet": _parquet,
        "webdataset": _webdataset,
    }[about.format](about)
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [f"{_CR}1.1", f"{_CR}RAI/1.0"],
        "name": about.spider,
        "description": about.summary,
        "license": MIT if about.is_drawn else {"@type": "sc:CreativeWork", "name": about.licence, "url": about.site},
        "url": about.site,
        "creator": {"@type": "sc:Organization", "name": "timecoverspider"},
        **({"datePublished": about.latest.ended[:10]} if about.latest and about.latest.ended else {}),
        "version": about.version,
        "isLiveDataset": False,
        **_provenance(about),
        **_rai(about),
        "distribution": distribution,
        "recordSet": [{"@type": "cr:RecordSet", "@id": "images", "name": "images", "field": fields}],
    }


def _provenance(about: About) -> Json:
    return {
        "prov:wasDerivedFrom": {"@id": about.site},
        "prov:wasGeneratedBy": [
            {
                "@type": "prov:Activity",
                "@id": f"crawl-{crawl.id}",
                "prov:label": f"Crawl {crawl.id} of {about.hosts[0]}, ARCHIVE={crawl.archive}: {crawl.outcome}",
                "prov:startedAtTime": crawl.started,
                "prov:endedAtTime": crawl.ended,
                "prov:used": {"@id": about.site},
                "prov:wasAssociatedWith": {"@type": "prov:SoftwareAgent", "prov:label": f"spider {crawl.spider}"},
            }
            for crawl in about.notable_crawls
        ],
    }


def _rai(about: About) -> Json:
    times = [about.crawls[0].started, about.crawls[-1].ended] if about.crawls else []
    return {
        "rai:dataCollection": about.collection,
        "rai:dataCollectionType": "Web Scraping",
        **({"rai:dataCollectionTimeframe": times} if times else {}),
        "rai:dataCollectionMissingData": about.missing,
        "rai:dataCollectionRawData": about.raw_data,
    }


def _file_object(file: DataFile, kind: str) -> Json:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": kind,
        "sha256": file.sha256,
    }


def _file_set(name: str, includes: str, kind: str | list[str], files: list[DataFile] | None = None) -> Json:
    contained = {"containedIn": [{"@id": file.path} for file in files]} if files else {}
    return {"@type": "cr:FileSet", "@id": name, "name": name, **contained, "includes": includes, "encodingFormat": kind}


def _field(column: Column | str, source: Json, **more: Any) -> Json:
    name, kind = (column, "sc:ImageObject") if isinstance(column, str) else (column.name, _TYPES[column.kind])
    return {"@type": "cr:Field", "@id": f"images/{_id(name)}", "name": name, "dataType": kind, "source": source, **more}


def _id(name: str) -> str:
    """Return a column's name if it can be an ``@id``, which mlcroissant reads as a part of a URL, or a hash of it."""
    if re.fullmatch(r"\w+(?:[-.]\w+)*", name, re.ASCII):
        return name
    return f"column-{hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:16]}"


def _imagefolder(about: About) -> tuple[list[Json], list[Json]]:
    kinds = sorted({_FORMATS[suffix] for suffix in about.suffixes}, key=list(_FORMATS.values()).index)
    return [_metadata(about), _file_set("image-files", "full/*", kinds)], _joined(about, _LINE, _FILE)


def _webdataset(about: About) -> tuple[list[Json], list[Json]]:
    files = [file for file in about.files if file.path != METADATA]
    tars = [_file_object(file, "application/x-tar") for file in files]
    return [_metadata(about), *tars, _file_set("image-files", "*.jpg", "image/jpeg", files)], _joined(
        about, _FILE, _LINE
    )


def _metadata(about: About) -> Json:
    [file] = [file for file in about.files if file.path == METADATA]
    return _file_object(file, "application/jsonlines")


def _joined(about: About, left: Json, right: Json) -> list[Json]:
    """Return the fields of an image file and of its line in ``metadata.jsonl``, joined by the name of the file.

    mlcroissant 1.1.1 applies the regex to the left side alone. Of files in an archive, it reads the content after the
    join, at the path that the left side has.
    """
    return [
        _field("image", {**_FILE, "extract": {"fileProperty": "content"}}),
        _field(Column("file_name", "string"), left, references=right),
        *(
            _field(column, {"fileObject": _LINE["fileObject"], "extract": {"column": column.name}})
            for column in about.columns
        ),
    ]


def _parquet(about: About) -> tuple[list[Json], list[Json]]:
    files = {"@id": "parquet-files"}
    distribution = [
        *(_file_object(file, "application/x-parquet") for file in about.files),
        _file_set("parquet-files", f"{parquet.FOLDER}/*.parquet", "application/x-parquet"),
    ]
    image = {"fileSet": files, "extract": {"column": parquet.IMAGE}, "transform": {"jsonPath": "bytes"}}
    columns = [_field(column, {"fileSet": files, "extract": {"column": column.name}}) for column in about.columns]
    return distribution, [_field("image", image), *columns]
