"""Checkpoints on disk: folders in the layout of ``save_pretrained``; ours have a record beside the weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from embryology.errors import EmbryologyError
from embryology.runs import steps
from embryology.storage.files import read_json, sha256_of_file, write_json, written_whole

WEIGHTS = "model.safetensors"
RECORD = "checkpoint.json"
GENERATOR = "generator"
"""The folder of ELECTRA's within that of its discriminator."""
TOKENIZER_FILES = ("tokenizer.json", "spiece.model", "vocab.txt", "vocab.json", "merges.txt", "tokenizer_config.json")


@dataclass(frozen=True)
class Checkpoint:
    """One model of a series."""

    step: int
    tokens: int | None
    location: Path
    recorded: str | None = None
    """The sha256 of the weights as recorded when they were written; None of checkpoints made by others."""
    unit: steps.Unit = "step"
    """What ``step`` counts: some say words or tokens read instead."""
    recorded_generator: str | None = None
    """Likewise of the generator of an ELECTRA that was trained here."""

    @cached_property
    def sha256(self) -> str:
        """Of the weights: the recorded one, else of the bytes that are there when it is first asked for."""
        return self.recorded or sha256_of_file(self._weights())

    @property
    def generator(self) -> "Checkpoint | None":
        """The model that predicts words, of an ELECTRA that was trained here; of all others None."""
        if self.recorded_generator is None:
            return None
        place = self.location / GENERATOR
        return Checkpoint(self.step, self.tokens, place, self.recorded_generator, self.unit)

    def verify(self) -> None:
        """Raise :class:`EmbryologyError` where the weights are not the bytes that they were."""
        expected = self.sha256
        if sha256_of_file(self._weights()) != expected:
            raise EmbryologyError(
                f"{self.location / WEIGHTS} was changed after it was written (its sha256 is not the one in {RECORD}); "
                "restore it or train the run again"
            )

    def _weights(self) -> Path:
        weights = self.location / WEIGHTS
        if not weights.is_file():
            raise EmbryologyError(f"{self.location} has no {WEIGHTS}; the checkpoint is damaged, train the run again")
        return weights


def write(path: Path, models: Mapping[str, Any], tokenizer: Any, record: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: the folder to make.
        models: ``model`` is written into the folder itself, any other (:data:`GENERATOR`) into a folder of its name
            in there, all in the layout of ``save_pretrained``.
        tokenizer: of the models.
        record: of the checkpoint; hashes of the weights are added.
    """
    with written_whole(path) as temporary:
        hashes = {}
        for name, model in models.items():
            place = temporary if name == "model" else temporary / name
            model.save_pretrained(place)
            tokenizer.save_pretrained(place)
            hashes["sha256" if name == "model" else f"{name}_sha256"] = sha256_of_file(place / WEIGHTS)
        write_json(temporary / RECORD, record | hashes)


def of_run(path: Path) -> Checkpoint:
    """A checkpoint of a run, from its record; the weights need not be there.

    Raises:
        EmbryologyError: the record is missing or damaged.
    """
    record = read_json(path / RECORD)
    try:
        place = record["step"], record["tokens"], path
        return Checkpoint(*place, record["sha256"], recorded_generator=record.get(f"{GENERATOR}_sha256"))
    except (KeyError, TypeError) as error:
        raise EmbryologyError(f"{path / RECORD} lacks {error}; the checkpoint is damaged") from error


def of_folder(path: Path, record: steps.Record) -> Checkpoint:
    """A checkpoint that somebody else saved, in a folder whose name, or the ``record`` beside it, says its step.

    Raises:
        EmbryologyError: neither does, or the name may be read in several ways.
    """
    try:
        place = steps.place(path.name, record)
    except EmbryologyError as error:
        raise EmbryologyError(f"{path.parent}: {error}") from error
    return Checkpoint(place.step, place.tokens, path, unit=place.unit)
