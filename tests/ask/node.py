"""The page's own scripts in Node, beside transformers."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="there is no node to run the page's scripts with")


def asked(page: Path, run: str, steps: Sequence[int], texts: Sequence[tuple[str, list[int]]]) -> dict[str, Any]:
    """By ``answers`` ids, spans and words of each text and by step the logits at its positions; and times."""
    command = [str(NODE), str(Path(__file__).with_name("in_node.js")), str(page), run, *map(str, steps)]
    finished = subprocess.run(command, input=json.dumps(list(texts)), capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    answers: dict[str, Any] = json.loads(finished.stdout)
    return answers
