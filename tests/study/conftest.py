"""A study of two seeds of a small preset, of which the tests train and measure what they need."""

import pytest
import yaml

from embryology.study import description
from tests.training import SHORT, small_preset
from tests.treebank_files import conllu

PROBES = ("tokens", "knowledge")
TREEBANK = conllu("d", "The/DT cat/NN sleeps/VBZ", "A/DT dog/NN barks/VBZ", "The/DT king/NN of/IN France/NNP")


@pytest.fixture(scope="session")
def write_study(tmp_path_factory):
    """Write a preset and a study of it; returns the study's file."""

    def write(folder, **changes):
        treebank = folder / "treebank.conllu"
        treebank.write_text(TREEBANK)
        preset = small_preset(folder, steps=20, checkpoints=[0, 5, 10, 20], **SHORT).model_dump(mode="json")
        probes = {"tokens": {"treebank": str(treebank)}, "knowledge": {"facts": 10, "every": 3}}
        chosen = {key: preset[key] for key in ("outcome", "speed")} | {"probes": probes}
        (folder / "small.yaml").write_text(yaml.safe_dump(chosen))
        file = folder / "seeds.yaml"
        values = {"presets": ["small.yaml"], "seeds": [0, 1], "chunk": 2, "threads": 1}
        file.write_text(yaml.safe_dump(values | changes))
        return file

    return write


@pytest.fixture(scope="module")
def described(home, write_study):
    return description.load(write_study(home))
