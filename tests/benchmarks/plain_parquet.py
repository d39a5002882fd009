"""Write the images and records of output.json to one Parquet file, with pyarrow alone: ``plain_parquet.py FILE``."""

import json
import sys
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

records = json.loads(Path("output.json").read_text(encoding="utf-8"))
paths = [record["files"][0]["path"] for record in records]
images = [{"bytes": Path("output", path).read_bytes(), "path": path} for path in paths]
columns = {name: [record[name] for record in records] for name in ("title", "pubDate")}
table = pa.table({"image": images, **columns})
parquet.write_table(table, sys.argv[1], compression="none", use_dictionary=False, write_page_index=True)
