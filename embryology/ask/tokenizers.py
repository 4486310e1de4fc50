"""``tokenizer.json`` -> what the page needs to divide text exactly as Python does; refused where it could not.

What browsers know of Unicode depends on their age, and so does what the tokenizers library knows: neither is asked in
the page. Each normaliser taken here treats characters one by one, but for the order of combining marks, so that what it
does to every code point is written down, as the library does it.
"""

import functools
import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tokenizers import Tokenizer, normalizers, pre_tokenizers

from embryology.errors import EmbryologyError

BY_CHARACTER = ("NFD", "NFKD", "StripAccents", "Lowercase")
"""Normalisers that treat each character by itself; those that decompose put marks in order too."""
BETWEEN = "qzq"
"""Between characters that are normalised at once: no normaliser makes it of one of them."""
BEFORE, AFTER = "\u0301", "\u0334"
"""Marks of combining classes 230 and 1: what is put in order changes places with one of them."""
BLOCK = 256
"""Code points that are tried at once; most are left as they are."""


def exported(content: dict[str, Any]) -> dict[str, Any]:
    """What ``page/tokenizer.js`` takes.

    Args:
        content: of ``tokenizer.json``.

    Raises:
        EmbryologyError: it is of a kind that the page does not know exactly.
    """
    return _exported(json.dumps(content))


@functools.cache  # runs of one book often share theirs, and it takes seconds
def _exported(text: str) -> dict[str, Any]:
    content = json.loads(text)
    try:
        backend = Tokenizer.from_str(text)
    except Exception as error:  # of damaged files tokenizers raises this very class
        raise EmbryologyError(f"its tokenizer cannot be read: {error}") from error
    backend.no_truncation()
    backend.no_padding()
    replaced, decomposes = _normaliser(content.get("normalizer"))
    before, after = _specials(backend)
    mask = backend.token_to_id("[MASK]")
    if mask is None:
        raise EmbryologyError("its tokenizer has no [MASK]")
    return {
        "added": [_added(each) for each in content.get("added_tokens", [])],
        "replaced": replaced,
        **_characters(backend, decomposes),
        **_divided(content.get("pre_tokenizer")),
        **_model(content["model"]),
        "before": before,
        "after": after,
        "mask": mask,
    }


def _normaliser(normaliser: dict[str, Any] | None) -> tuple[list[list[str]], bool]:
    """Strings that are replaced first, and whether characters are decomposed, which puts their marks in order."""
    if normaliser is None:
        return [], False
    if normaliser["type"] == "BertNormalizer":
        strips = normaliser["strip_accents"]
        return [], bool(normaliser["lowercase"] if strips is None else strips)
    parts = normaliser["normalizers"] if normaliser["type"] == "Sequence" else [normaliser]
    replaced = []
    while parts and parts[0]["type"] == "Replace" and "String" in parts[0]["pattern"]:
        replaced.append([parts[0]["pattern"]["String"], parts[0]["content"]])
        parts = parts[1:]
    if unknown := [part["type"] for part in parts if part["type"] not in BY_CHARACTER]:
        raise EmbryologyError(f"its tokenizer normalises text in a way that the page does not know ({unknown[0]})")
    kinds = [part["type"] for part in parts]
    forms = [kind for kind in kinds if kind in ("NFD", "NFKD")]
    if len(forms) > 1 or (forms and kinds[0] not in forms):
        raise EmbryologyError(f"its tokenizer normalises text in an order that the page does not know ({kinds})")
    return replaced, bool(forms)


def _characters(backend: Tokenizer, decomposes: bool) -> dict[str, Any]:
    """Runs of code points that become one string, those that get a space on each side, and classes of marks."""
    normalise = backend.normalizer.normalize_str if backend.normalizer else str
    changed: list[list[Any]] = []
    spaced = []
    for block in _blocks():
        whole = normalise("".join(block))
        if whole == "".join(block):
            continue
        news = [""] * len(block) if not whole else normalise(BETWEEN.join(block)).split(BETWEEN)
        if len(news) != len(block):
            raise EmbryologyError("its tokenizer does not normalise text character by character")
        for character, new in zip(block, news, strict=True):
            point = ord(character)
            if new == f" {character} ":
                spaced.append(point)
            elif new == character:
                continue
            elif changed and changed[-1][1] == point - 1 and changed[-1][2] == new:
                changed[-1][1] = point
            else:
                changed.append([point, point, new])
    return {"changed": changed, "spaced": _ranges(spaced), "classes": _classes(normalise) if decomposes else []}


def _blocks() -> Iterator[list[str]]:
    """All characters but U+0000 and surrogates, which no text holds, in their order."""
    for start in range(0, sys.maxunicode + 1, BLOCK):
        if not 0xD800 <= start < 0xE000:
            yield [chr(point) for point in range(max(start, 1), start + BLOCK)]


def _classes(normalise: Callable[[str], str]) -> list[list[int]]:
    """The combining class of every mark that the normaliser leaves and the library puts in order.

    A class never changes once a character has one, so that Python's word for it will do.
    """
    decompose = normalizers.NFD().normalize_str
    classes = []
    for block in _blocks():
        for mark in filter(unicodedata.combining, block):
            ordered = decompose(f"q{BEFORE}{mark}"), decompose(f"q{mark}{AFTER}")
            if normalise(mark) == mark and ordered != (f"q{BEFORE}{mark}", f"q{mark}{AFTER}"):
                classes.append([ord(mark), unicodedata.combining(mark)])
    return classes


def _divided(divider: dict[str, Any] | None) -> dict[str, Any]:
    """Which characters divide text and vanish, which stand alone, and what is put before a word."""
    kind = divider["type"] if divider else None
    if kind == "BertPreTokenizer":
        spaces, alone = _divides(pre_tokenizers.BertPreTokenizer())
        return {"spaces": spaces, "alone": alone, "begins": ""}
    parts = divider.get("pretokenizers", []) if divider else []
    if kind == "Sequence" and [part["type"] for part in parts] == ["WhitespaceSplit", "Metaspace"]:
        metaspace = parts[1]
        if metaspace.get("prepend_scheme") == "always" and metaspace.get("split", True):
            spaces, alone = _divides(pre_tokenizers.WhitespaceSplit())
            return {"spaces": spaces, "alone": alone, "begins": metaspace["replacement"]}
    raise EmbryologyError(f"its tokenizer divides text into words in a way that the page does not know ({kind})")


def _divides(divider: Any) -> tuple[list[list[int]], list[list[int]]]:
    spaces: list[int] = []
    alone: list[int] = []
    for block in _blocks():
        if len(divider.pre_tokenize_str(f"a{''.join(block)}a")) == 1:
            continue
        starts = {start for _, (start, _) in divider.pre_tokenize_str(" ".join(f"a{each}a" for each in block))}
        for number, character in enumerate(block):  # each takes four characters with the space behind it
            if 4 * number + 2 in starts:
                (alone if 4 * number + 1 in starts else spaces).append(ord(character))
    return _ranges(spaces), _ranges(alone)


def _model(model: dict[str, Any]) -> dict[str, Any]:
    if model["type"] == "Unigram" and not model.get("byte_fallback"):
        pieces, scores = map(list, zip(*model["vocab"], strict=True))
        return {"kind": "unigram", "pieces": pieces, "scores": scores, "unknown": model["unk_id"]}
    if model["type"] == "WordPiece":
        pieces = _by_number(model["vocab"])
        return {
            "kind": "wordpiece",
            "pieces": pieces,
            "unknown": model["vocab"][model["unk_token"]],
            "continues": model["continuing_subword_prefix"],
            "longest": model["max_input_chars_per_word"],
        }
    raise EmbryologyError(f"its tokenizer is of a kind that the page does not know ({model['type']})")


def _by_number(vocabulary: dict[str, int]) -> list[str]:
    pieces = [""] * (max(vocabulary.values()) + 1)
    for piece, number in vocabulary.items():
        pieces[number] = piece
    return pieces


def _added(token: dict[str, Any]) -> dict[str, Any]:
    if token["single_word"] or token["normalized"]:
        raise EmbryologyError(f"its tokenizer looks for {token['content']} in a way that the page does not know")
    return {key: token[key] for key in ("id", "content", "lstrip", "rstrip")}


def _specials(backend: Tokenizer) -> tuple[list[int], list[int]]:
    """The pieces before and behind a text; of some tokenizers there are none."""
    whole, plain = (backend.encode("a", add_special_tokens=each).ids for each in (True, False))
    for start in range(len(whole) - len(plain) + 1):
        if whole[start : start + len(plain)] == plain:
            return whole[:start], whole[start + len(plain) :]
    raise EmbryologyError("its tokenizer puts pieces into a text")


def _ranges(points: Iterable[int]) -> list[list[int]]:
    result: list[list[int]] = []
    for point in points:
        if result and result[-1][1] == point - 1:
            result[-1][1] = point
        else:
            result.append([point, point])
    return result
