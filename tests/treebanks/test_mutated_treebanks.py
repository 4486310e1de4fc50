"""Readers on damaged files: what they say is an EmbryologyError, what they give is sound.

50 files a reader; HYPOTHESIS_PROFILE=long makes it 2,500, so more than 10,000 in all.
"""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embryology.errors import EmbryologyError
from embryology.treebanks import Reading, conllu_reader, gum, jsonl, ontonotes, propbank
from tests.treebank_files import assert_sound, conllu, gold_conll, gum_layer, skeletons

SENTENCES = ("The/DT cat/NN sleeps/VBZ", "Yes/UH", "(/-LRB- up/RP")
BRACKETS = (
    "DT (TOP(S(NP* - - (ARG0*\nNN *) - - *)\nVBZ (VP*))) sleep sleep.01 (V*)",
    "UH (TOP(INTJ*)) - -",
    "-LRB- (TOP(PRN* - -\nRP *)) - -",
)
COLUMNS = (
    "The DT (TOP(S(NP* - - (ORG* (ARG0* (1|(2)\ncat NN *) - - *) *) 1)\nsleeps VBZ (VP*))) sleep - * (V*) -",
    "Hm XX * - - * -\nit PRP * - - * (1)",
)
RECORDS = [
    {"text": "a b c", "targets": [{"span1": [0, 1], "span2": [1, 3], "label": "x"}], "info": {}},
    {"text": "d", "targets": [{"span1": [0, 1], "span2": [0, 1], "label": ["y", "z"]}]},
]
PIECES = st.sampled_from(
    [
        *'()*_-|\t\n #0123456789:="[]{},',
        "\n\n",
        "(1",
        "1)",
        "*)",
        "(NP*",
        "1-2",
        "2.1",
        "\r",
        "\x0b",
        "\x1c",
        "\x85",
        "\u2028",
        "\ufeff",
        "é",
        "\0",
        "XX",
        "-1",
        "1e999",
        "null",
        "# newdoc id = y",
        "# begin document y",
        "  ",
    ]
)


@dataclass(frozen=True)
class Format:
    texts: dict[str, str]
    read: Callable[..., Reading]


FORMATS = {
    "conllu": Format({"x.conllu": conllu("answers-x", *SENTENCES)}, conllu_reader.read_edges),
    "propbank": Format(
        {
            "x.conllu": conllu("answers-x", *SENTENCES),
            "x.gold_skel": skeletons("google/ewt/answers/00/x.xml", *BRACKETS),
        },
        lambda words, skeleton, skip_bad: propbank.read(words, [skeleton], skip_bad),
    ),
    "gum": Format(
        {
            "x.conllu": conllu("x", *SENTENCES) + conllu("y", "Hm/UH"),
            "entities.conll": gum_layer("x", "The (animal-1", "cat animal-1)", "sleeps _", "Yes _", "( _", "up _")
            + gum_layer("y", "Hm _"),
            "chains.conll": gum_layer("x", "The (3(4", "cat 4)", "sleeps (4", "Yes 3)4)", "( _", "up (3)")
            + gum_layer("y", "Hm (1)"),
        },
        gum.read,
    ),
    "ontonotes": Format(
        {"x.gold_conll": gold_conll("bc/x", *COLUMNS)},
        lambda file, skip_bad: ontonotes.read([file], skip_bad),
    ),
    "jsonl": Format(
        {"x.jsonl": "".join(json.dumps(record) + "\n" for record in RECORDS)},
        lambda file, skip_bad: jsonl.read(file, "role", skip_bad),
    ),
}


@st.composite
def damaged(draw, text: str) -> str:
    """``text`` after some letters, fields or lines of it were cut, doubled, swapped or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        unit = draw(st.sampled_from(["", "\t", " ", "\n"]))
        parts = text.split(unit) if unit else list(text)
        if not parts:
            break
        i, j = (draw(st.integers(0, len(parts) - 1)) for _ in range(2))
        match draw(st.sampled_from(["cut", "double", "swap", "replace", "insert"])):
            case "cut":
                del parts[min(i, j) : max(i, j) if unit == "" else i + 1]
            case "double":
                parts.insert(j, parts[i])
            case "swap":
                parts[i], parts[j] = parts[j], parts[i]
            case "replace":
                parts[i] = draw(PIECES | st.text(max_size=3).filter(lambda text: text.isprintable()))
            case "insert":
                parts.insert(i, draw(PIECES))
        text = unit.join(parts)
    return text


@pytest.mark.parametrize("name", FORMATS)
def test_only_our_error_comes_out(name, tmp_path_factory):
    folder, form = tmp_path_factory.mktemp(name), FORMATS[name]
    outcomes = {"read": 0, "refused": 0, "skipped": 0}

    @settings(max_examples=settings.default.max_examples // 2)
    @given(st.data())
    def run(data):
        files = [folder / file for file in form.texts]
        hurt = data.draw(st.sampled_from(list(form.texts)))
        for file, text in zip(files, form.texts.values(), strict=True):
            content = (data.draw(damaged(text)) if file.name == hurt else text).encode("utf-8")
            if file.name == hurt and data.draw(st.integers(0, 9)) == 0:
                content = content.replace(data.draw(st.sampled_from([b"a", b"\n", b" "])), b"\xff", 1)
            file.write_bytes(content)
        readings, refusals = [], []
        for skip_bad in (False, True):
            try:
                readings.append(form.read(*files, skip_bad=skip_bad))
            except EmbryologyError as error:
                refusals.append(str(error))
        for reading in readings:
            assert_sound(reading)
            outcomes["skipped"] += reading.skipped.total() > 0
        assert all(str(folder) in message and "\n" not in message for message in refusals)
        if len(readings) == 2:  # nothing is malformed, so there is nothing to skip
            assert readings[0] == readings[1]
        outcomes["read"] += len(readings)
        outcomes["refused"] += len(refusals)

    run()
    assert all(outcomes.values())


@pytest.mark.parametrize("name", FORMATS)
def test_cut_gzip_is_our_error(name, tmp_path):
    form = FORMATS[name]
    for cut in form.texts:
        files = [tmp_path / f"{file}.gz" for file in form.texts]
        for file, text in zip(files, form.texts.values(), strict=True):
            file.write_bytes(gzip.compress(text.encode())[: -9 if file.name == f"{cut}.gz" else None])
        for skip_bad in (False, True):
            with pytest.raises(EmbryologyError, match=rf"{cut}\.gz cannot be read after line"):
                form.read(*files, skip_bad=skip_bad)
