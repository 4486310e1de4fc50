"""Checkpoints on disk: folders in the layout of ``save_pretrained``; ours have a record beside the weights."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from embryology.errors import EmbryologyError
from embryology.runs import steps
from embryology.storage.files import read_json, sha256_of, sha256_of_file, write_json, written_whole

WEIGHTS, INDEX, PICKLED = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
"""What holds the weights, or of several shards their names; the first that is there, as transformers takes them."""
CONFIG = "config.json"
RECORD = "checkpoint.json"
GENERATOR = "generator"
"""The folder of ELECTRA's within that of its discriminator."""
TOKENIZER_FILES = (
    *("tokenizer.json", "spiece.model", "vocab.txt", "vocab.json", "merges.txt", "tokenizer_config.json"),
    *("sentencepiece.bpe.model", "spm.model", "tokenizer.model", "special_tokens_map.json", "added_tokens.json"),
)


@dataclass(frozen=True)
class Checkpoint:
    """One model of a series."""

    step: int
    tokens: int | None
    location: Path
    """The folder of its configuration and, where it has one, its tokenizer; of its weights see :meth:`fetched`."""
    recorded: str | None = None
    """The sha256 of the weights as it was recorded when they were written, or listed by the Hub; None of others."""
    unit: steps.Unit = "step"
    """What ``step`` counts: some say words, tokens or epochs instead."""
    recorded_generator: str | None = None
    """Likewise of the generator of an ELECTRA that was trained here."""
    phase: str = ""
    """From whose beginning ``step`` is counted, if not from that of training."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.location)

    @property
    def label(self) -> str:
        """What a record calls it, as in ``leave_out``: the name of its folder."""
        return self.location.name

    @property
    def commit(self) -> str:
        """Of a revision on the Hub; empty for all others."""
        return ""

    @contextmanager
    def fetched(self, keep: bool = False) -> Iterator["Checkpoint"]:
        """The checkpoint with its weights in :attr:`location`, as long as the context lasts.

        Args:
            keep: whether what has to be fetched stays on this machine afterwards.

        Raises:
            EmbryologyError: it cannot be fetched.
        """
        yield self

    @cached_property
    def sha256(self) -> str:
        """Of the weights: the recorded one, else of the bytes that are there when it is first asked for."""
        return self.recorded or self.measured_sha256()

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
        if self.measured_sha256() != expected:
            raise EmbryologyError(
                f"{self.location / WEIGHTS} was changed after it was written (its sha256 is not the one in {RECORD}); "
                "restore it or train the run again"
            )

    def measured_sha256(self) -> str:
        """Of the weights that are in :attr:`location` now.

        Raises:
            EmbryologyError: there are none, or not all.
        """
        names = weight_files_in(self.location)
        if not names:
            raise EmbryologyError(
                f"{self.location} has no {WEIGHTS} (and no {PICKLED}); the checkpoint is damaged, restore it"
            )
        try:
            return sha256_of_weights({name: sha256_of_file(self.location / name) for name in names})
        except FileNotFoundError as error:
            raise EmbryologyError(f"{error.filename} is missing; the checkpoint is damaged, restore it") from error


def weight_files(names: Collection[str], index: Callable[[], bytes]) -> list[str]:
    """Which of a checkpoint's files hold its weights: safetensors, whole or in shards, else what torch pickled.

    Args:
        names: of all of its files.
        index: reads :data:`INDEX`, if that is among them.

    Returns:
        Their names, not all of which have to be there; none where it has no weights.

    Raises:
        EmbryologyError: the index is damaged.
    """
    if WEIGHTS in names or INDEX not in names:
        return [next(name for name in (WEIGHTS, PICKLED) if name in names)] if {WEIGHTS, PICKLED} & {*names} else []
    try:
        return sorted(set(json.loads(index())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EmbryologyError(f"{INDEX} is damaged ({type(error).__name__}); restore it") from error


def weight_files_in(folder: Path) -> list[str]:
    """:func:`weight_files` of a folder.

    Raises:
        EmbryologyError: its index is damaged.
    """
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    try:
        return weight_files(names, (folder / INDEX).read_bytes)
    except EmbryologyError as error:
        raise EmbryologyError(f"{folder}: {error}") from error


def sha256_of_weights(hashes: Mapping[str, str]) -> str:
    """Of weights, by those of their files: of a single file its own."""
    return next(iter(hashes.values())) if len(hashes) == 1 else sha256_of(dict(hashes))


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
    return Checkpoint(place.step, place.tokens, path, unit=place.unit, phase=place.phase)


def refuse_foreign_code(name: str, config: Mapping[str, Any]) -> None:
    """Refuse a model that is made by code in its own repository, which is never run.

    Args:
        name: of the checkpoint.
        config: what its ``config.json`` says.

    Raises:
        EmbryologyError: it names such code, and transformers has no architecture of its own for it.
    """
    if "auto_map" not in config:
        return
    import transformers  # late: seconds, and needed for few

    architectures = config.get("architectures") or []
    if config.get("model_type") in transformers.CONFIG_MAPPING and any(hasattr(transformers, a) for a in architectures):
        return
    raise EmbryologyError(
        f"{name} needs code of its own (auto_map in its {CONFIG}), which is never run; only architectures that "
        "transformers has can be measured"
    )
