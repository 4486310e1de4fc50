"""Edge probing as jiant writes it: a JSON object a line with ``text`` and ``targets``, one task a file.

``{"text": "a b c", "targets": [{"span1": [0, 1], "span2": [1, 3], "label": "x"}], "info": {...}}``. Spans count what
blanks separate in the text and are half-open; a label may be a list, and each of its entries makes an edge.
"""

import json
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from embryology.errors import EmbryologyError
from embryology.specs.sources import Source
from embryology.storage.lines import MalformedError, found, numbered, tolerated
from embryology.treebanks import TASKS, TWO_SPANS, Edge, Reading, Sentence, Span, Word
from embryology.treebanks.sets import SPLITS, EdgeSet, hashes


def read(path: Path, task: str, skip_bad: bool = False) -> Reading:
    """The sentences of a file, with edges of ``task``; words have no tags.

    Raises:
        EmbryologyError: the file is missing or malformed; file and line are named.
    """
    reading = Reading()
    for number, line in numbered(path):
        if not line.strip():
            continue
        with tolerated(path, reading.skipped, skip_bad):
            text, targets = _parsed(line, number)
            words = tuple(Word(match[0], *match.span(), "") for match in re.finditer(r"\S+", text))
            left_out: Counter[str] = Counter()
            edges = tuple(edge for target in targets for edge in _edges(target, task, len(words), number, left_out))
            reading.sentences.append(Sentence(f"{path.name.split('.')[0]}-{number}", text, words, edges))
            reading.left_out.update(left_out)
    return reading


def _parsed(line: str, number: int) -> tuple[str, list[Any]]:
    try:
        record = json.loads(line)
        text, targets = record["text"], record["targets"]
        text.encode("utf-8")  # JSON can write half a surrogate pair, which is no text
    except RecursionError as error:
        raise MalformedError("malformed JSON", number, "nested too deeply") from error
    except UnicodeEncodeError as error:
        raise MalformedError("malformed JSON", number, f"text that is no Unicode: {error.reason}") from error
    except ValueError as error:
        raise MalformedError("malformed JSON", number, str(error)) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedError("malformed JSON", number, "an object with text and targets is expected") from error
    if not isinstance(targets, list):
        raise MalformedError("malformed JSON", number, "targets is no list")
    return text, targets


def _edges(target: Any, task: str, words: int, number: int, left_out: Counter[str]) -> list[Edge]:
    if not isinstance(target, dict) or "label" not in target or "span1" not in target:
        raise MalformedError("malformed target", number, f"span1 and label are expected: {target!r:.80}")
    if (target.get("span2") is not None) != (task in TWO_SPANS):
        expected = "two spans" if task in TWO_SPANS else "one span"
        raise MalformedError("malformed target", number, f"{expected} expected for the task {task!r}: {target!r:.80}")
    first = _span(target["span1"], words, number)
    second = _span(target["span2"], words, number) if task in TWO_SPANS else None
    labels = target["label"] if isinstance(target["label"], list) else [target["label"]]
    if not all(isinstance(label, str) for label in labels):
        raise MalformedError("malformed target", number, f"label is no text: {target!r:.80}")
    left_out["target without a label"] += not labels
    return [Edge(task, label, first, second) for label in labels]


def _span(span: Any, words: int, number: int) -> Span:
    if not (isinstance(span, list) and len(span) == 2 and all(type(end) is int for end in span)):
        raise MalformedError("malformed target", number, f"a span is two whole numbers, not {span!r:.80}")
    first, last = span
    if first == last:
        raise MalformedError("empty span", number, f"{span} holds no word")
    if not 0 <= first < last <= words:
        raise MalformedError("span out of range", number, f"{span} of {words} words")
    return first, last


def _find(name: str, split: str) -> EdgeSet:
    task, _, place = name.partition(":")
    if task not in TASKS:
        raise EmbryologyError(f"{name!r} names no task before the colon; choose one of {', '.join(TASKS)}")
    path = Path(place).expanduser()
    if "{split}" in place:
        wanted = [Path(str(path).replace("{split}", split))]
    elif path.is_dir():
        words = (split, "development") if split == "dev" else (split,)
        wanted = [path / f"{word}{ending}" for word in words for ending in (".jsonl", ".json")]
    else:
        raise EmbryologyError(f"{path} is no folder; give one that holds {split}.jsonl, or a path with {{split}} in it")
    file = next(filter(None, map(found, wanted)), None)
    if file is None:
        raise EmbryologyError(f"{' or '.join(map(str, wanted))} is missing (or .gz)")
    return EdgeSet(
        name,
        file.name if "{split}" in place else f"{path.name} {split}",
        (file,),
        partial(hashes, [file]),
        partial(read, file, task),
        split,
        (task,),
    )


SOURCE = Source("edges", "jsonl", _find, lambda name: ":" in name, "TASK:PATH for JSON lines", SPLITS)
"""``PATH`` is a folder that holds ``SPLIT.json`` or ``.jsonl``, or a file's with ``{split}`` in it."""
