"""Packed weights -> the folder of the page: HTML, style and scripts, and of each run what is loaded when asked for.

A page that is opened from a file may load scripts, but neither fetch files nor import modules: weights are scripts
with one call each, in base64, and the worker's code is a string in one.
"""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from embryology.ask import tokenizers
from embryology.ask.examples import EXAMPLES, PAIRS
from embryology.runs.packed.series import Packed

WORKER = ("tokenizer.js", "network.js", "weights.js", "sentence.js", "worker.js")
"""What runs beside the page, in this order."""
PAGE = ("chart.js", "view.js", "ask.js")
"""What runs in the page."""
FRAGMENT = "fragment.html"
"""What stands in the book's page as in one of its own."""
SIZE_LIMIT = 36_000_000
"""Bytes of all weights of a book as scripts; of runs that would take more, fewer checkpoints are there."""


def slug(name: str) -> str:
    """The name of a run as a folder's."""
    return re.sub(r"[^\w.-]+", "-", name)


def size_of(packed: Packed) -> int:
    """Bytes of its scripts, but for the few of the run itself."""
    return packed.size * 4 // 3


def fitting(packed: Packed, most: int) -> Packed | None:
    """With as many checkpoints, evenly thinned, as fit ``most`` bytes; None where not even two do."""
    every, made = 1, packed
    while size_of(made) > most:
        every += 1
        if len(made.steps) <= 2:
            return None
        made = packed.thinned(every)
    return made


def write(runs: Mapping[str, Packed], folder: Path) -> None:
    """Write the page and all that it loads into a folder that is not there.

    Args:
        runs: by name; the first is shown first.
        folder: the folder to make.

    Raises:
        EmbryologyError: the tokenizer of a run is of a kind that the page does not know exactly.
    """
    folder.mkdir(parents=True)
    page = resources.files("embryology.ask") / "page"
    text = {
        name: (page / name).read_text(encoding="utf-8") for name in (*WORKER, *PAGE, "ask.css", "ask.html", FRAGMENT)
    }
    listed = []
    for name, packed in runs.items():
        place = folder / slug(name)
        place.mkdir()
        (place / "run.js").write_text(_script(name, "run", _run(packed)), encoding="ascii")
        for step, block in packed.blocks.items():
            (place / f"step-{step}.js").write_text(_script(name, step, block), encoding="ascii")
        listed.append({"name": name, "folder": slug(name), "steps": packed.steps, "unit": packed.unit})
    head = {"runs": listed, "examples": EXAMPLES, "pairs": PAIRS, "worker": "\n".join(text[name] for name in WORKER)}
    own = "\n".join(['"use strict";', f"const embryologyHead = {_javascript(head)};", *(text[name] for name in PAGE)])
    (folder / "ask.js").write_text(own, encoding="utf-8")
    (folder / "ask.css").write_text(text["ask.css"], encoding="utf-8")
    (folder / "index.html").write_text(text["ask.html"].replace("<!-- page -->", text[FRAGMENT]), encoding="utf-8")


def fragment(base: str) -> str:
    """What stands in a page of the book, whose scripts and style lie in the folder ``base``, seen from there."""
    own = (resources.files("embryology.ask") / "page" / FRAGMENT).read_text(encoding="utf-8")
    return f'<link rel="stylesheet" href="{base}ask.css">\n' + own.replace('src="ask.js"', f'src="{base}ask.js"')


def _run(packed: Packed) -> bytes:
    """What is said of a run once: its models, its tokenizer and the scales of rows."""
    about = {key: getattr(packed, key) for key in ("steps", "models", "tensors", "same")}
    scales = np.concatenate([packed.scale[role] for role, shape in packed.tensors if len(shape) == 2])
    said: dict[str, Any] = {
        "about": about,
        "scales": base64.b64encode(scales.astype("<f4").tobytes()).decode(),
        "tokenizer": tokenizers.exported(packed.tokenizer),
    }
    return gzip.compress(_javascript(said).encode(), mtime=0)


def _script(run: str, step: int | str, content: bytes) -> str:
    """One call, which a file that was cut off does not make."""
    return f'embryologyAsk.received({json.dumps(run)},{json.dumps(step)},"{base64.b64encode(content).decode()}");\n'


def _javascript(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("</", "<\\/")
