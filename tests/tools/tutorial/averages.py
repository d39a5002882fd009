"""A stand-in for the script of the tutorial's follow-up, written from its description: average covers by decade.

It reads ``output.json`` and ``output/`` in the working directory, and writes 1920.png to 2010.png to the folder that is
its argument.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np


def main() -> None:
    rows = json.loads(Path("output.json").read_text())
    for decade in range(1920, 2020, 10):
        images = []
        for row in rows:
            if decade <= int(row["pubDate"].split("-")[0]) < decade + 10:
                image = cv2.imread("output/" + row["files"][0]["path"])
                images.append(cv2.resize(image, (400, 527)))
        if images:
            average = np.mean(images, axis=0).astype("uint8")
            cv2.imwrite(f"{sys.argv[1]}/{decade}.png", average)


if __name__ == "__main__":
    main()
