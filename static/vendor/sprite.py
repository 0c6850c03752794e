"""Writes one SVG sprite of the icons named in a list: `sprite.py ICON_FOLDER LIST OUTPUT`.

A name ending in ` filled` is taken from the filled set and keeps the plain name with `-filled`.
"""

import re
import sys
from pathlib import Path

folder, names, output = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])

symbols = []
for line in names.read_text(encoding="utf-8").split("\n"):
    if not line.strip() or line.startswith("#"):
        continue
    name, _, variant = line.strip().partition(" ")
    svg = (folder / (variant or "outline") / f"{name}.svg").read_text(encoding="utf-8")
    body = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)[1]
    # The invisible bounding box that every icon begins with draws nothing.
    body = re.sub(r"<path stroke=\"none\" d=\"M0 0h24v24H0z\" fill=\"none\" ?/>", "", body)
    body = re.sub(r"\s*\n\s*", "", body).strip()
    paint = ' fill="currentColor" stroke="none"' if variant == "filled" else ""
    suffix = f"-{variant}" if variant else ""
    symbols.append(f'<symbol id="{name}{suffix}" viewBox="0 0 24 24"{paint}>{body}</symbol>')

output.write_text(
    '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n",
    encoding="utf-8",
)
