"""A series' weights, packed: made of its checkpoints, kept in a folder of its own, read again from there."""

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from embryology.errors import EmbryologyError
from embryology.runs.checkpoints import CONFIG, PICKLED, Checkpoint, weight_files_in
from embryology.runs.packed import quantised, roles
from embryology.runs.packed.quantised import Tensors
from embryology.runs.series import Series, thinned
from embryology.storage.files import read_json, sha256_of, sha256_of_file, sha256_of_files, write_json

RECORD, SCALES, TOKENIZER = "packed.json", "scales.bin", "tokenizer.json"


@dataclass(frozen=True)
class Packed:
    """The weights of a series as :mod:`embryology.runs.packed.quantised` has them."""

    unit: str
    """What steps count."""
    steps: tuple[int, ...]
    """Rising."""
    models: dict[str, dict[str, Any]]
    """By what a model is asked for (:data:`roles.WORDS`, :data:`roles.REPLACED`) what its forward pass needs."""
    tensors: tuple[tuple[str, tuple[int, ...]], ...]
    """Role, with the model's name before it, and shape; matrices first. The order of the bytes."""
    same: dict[str, str]
    """By role of a tensor that is another one in every checkpoint, that one's role; it is kept once."""
    names: dict[str, str]
    """By role the tensor's name in the checkpoint of its model."""
    scale: Tensors
    """By role of a matrix (rows,) float32."""
    blocks: dict[int, bytes]
    """By step."""
    tokenizer: dict[str, Any]
    """The content of ``tokenizer.json``."""
    made_of: str
    """A hash of the weights and the tokenizer that it was made of."""

    @property
    def size(self) -> int:
        """Of the blocks, in bytes."""
        return sum(map(len, self.blocks.values()))

    def checkpoints(self) -> Iterator[tuple[int, Tensors]]:
        """Steps from the last to the first, each with its eight-bit tensors.

        Raises:
            EmbryologyError: a block is damaged.
        """
        after: Tensors | None = None
        for step in reversed(self.steps):
            try:
                after = quantised.unpack(self.blocks[step], after, self.tensors)
            except (zlib.error, ValueError) as error:
                raise EmbryologyError(f"the packed weights of {self.unit} {step} are damaged: {error}") from error
            yield step, after

    def weights(self, step: int) -> dict[str, dict[str, np.ndarray]]:
        """By model and name in its checkpoint the float32 weights of a step, as they are computed with."""
        here = next(each for at, each in self.checkpoints() if at == step)
        tensors = quantised.dequantise(here, self.scale)
        tensors |= {role: tensors[other] for role, other in self.same.items()}
        result: dict[str, dict[str, np.ndarray]] = {model: {} for model in self.models}
        for role, tensor in tensors.items():
            result[role.partition("/")[0]][self.names[role]] = tensor
        return result

    def thinned(self, every: int) -> "Packed":
        """Every so-many-th checkpoint, from the first on, and the last."""
        steps = tuple(thinned(self.steps, every))
        blocks: dict[int, bytes] = {}
        after: Tensors | None = None
        for step, tensors in self.checkpoints():
            if step in steps:
                blocks[step] = quantised.pack(tensors, after)
                after = tensors
        return replace(self, steps=steps, blocks=blocks)


def lacking(series: Series) -> str | None:
    """Why the weights of a series cannot be packed, as far as its files tell at once; None where they may."""
    if (series.folder.packed / RECORD).is_file():
        return None
    if series.is_frozen:
        return "its weights were not kept (embryology freeze --weights 8bit keeps them)"
    if any(checkpoint.commit for checkpoint in series.checkpoints):
        return "its weights lie on the Hub"
    if not all(weight_files_in(checkpoint.location) for checkpoint in series.checkpoints):
        return "a checkpoint has no weights"
    return None


def identity(series: Series) -> str:
    """A hash of what :func:`of_series` gives, without the reading of weights whose hash is recorded."""
    if (record := series.folder.packed / RECORD).is_file():
        return str(read_json(record)["made_of"])
    made_of = [
        [checkpoint.step, checkpoint.sha256, each.sha256 if (each := checkpoint.generator) else None]
        for checkpoint in series.checkpoints
    ]
    return sha256_of([made_of, _tokenizer(series.checkpoints[-1])])


def of_series(series: Series) -> Packed:
    """The packed weights of a series: those that it keeps, else made of its checkpoints, which are read twice.

    Raises:
        EmbryologyError: they cannot be packed, or were changed.
    """
    if reason := lacking(series):
        raise EmbryologyError(reason)
    if (series.folder.packed / RECORD).is_file():
        return read(series.folder.packed)
    series.refuse_repeated(series.checkpoints)
    graphs = [_graphs(checkpoint) for checkpoint in series.checkpoints]
    if any(each != graphs[-1] for each in graphs):
        raise EmbryologyError("its checkpoints are of models of several kinds")
    names = {f"{model}/{role}": name for model, graph in graphs[-1].items() for role, name in graph.tensors.items()}
    same = _same(series.checkpoints, names)
    scale = quantised.scales(_read(checkpoint, names, same) for checkpoint in series.checkpoints)
    blocks: dict[int, bytes] = {}
    after: Tensors | None = None
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    for checkpoint in reversed(series.checkpoints):
        tensors = quantised.quantise(_read(checkpoint, names, same), scale)
        here = tuple((role, tensor.shape) for role, tensor in tensors.items())
        if shapes and here != shapes:
            raise EmbryologyError("its checkpoints are of models of several sizes")
        blocks[checkpoint.step] = quantised.pack(tensors, after)
        after, shapes = tensors, here
    return Packed(
        unit=series.unit,
        steps=tuple(checkpoint.step for checkpoint in series.checkpoints),
        models={model: graph.shape for model, graph in graphs[-1].items()},
        tensors=shapes,
        same=same,
        names=names,
        scale=scale,
        blocks=blocks,
        tokenizer=_tokenizer(series.checkpoints[-1]),
        made_of=identity(series),
    )


def write(packed: Packed, folder: Path) -> None:
    """Write packed weights into a folder that is not there."""
    folder.mkdir(parents=True)
    for step, block in packed.blocks.items():
        (folder / _file(step)).write_bytes(block)
    (folder / SCALES).write_bytes(np.concatenate(list(packed.scale.values())).tobytes())
    write_json(folder / TOKENIZER, packed.tokenizer)
    keys = "unit", "steps", "models", "tensors", "same", "names", "made_of"
    hashes = sha256_of_files(folder, folder.iterdir())
    write_json(folder / RECORD, {key: getattr(packed, key) for key in keys} | {"sha256": hashes})


def read(folder: Path) -> Packed:
    """What :func:`write` wrote.

    Raises:
        EmbryologyError: something is missing or damaged.
    """
    record = read_json(folder / RECORD)
    try:
        for name, sha256 in record.pop("sha256").items():
            if sha256_of_file(folder / name) != sha256:
                raise EmbryologyError(f"{folder / name} is damaged; freeze the run again")
        tensors = tuple((role, tuple(shape)) for role, shape in record.pop("tensors"))
        matrices = [(role, shape[0]) for role, shape in tensors if len(shape) == 2]
        rows = np.frombuffer((folder / SCALES).read_bytes(), np.float32)
        split = np.split(rows, np.cumsum([count for _, count in matrices])[:-1])
        steps = tuple(record.pop("steps"))
        return Packed(
            steps=steps,
            tensors=tensors,
            scale=dict(zip([role for role, _ in matrices], split, strict=True)),
            blocks={step: (folder / _file(step)).read_bytes() for step in steps},
            tokenizer=read_json(folder / TOKENIZER),
            **record,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EmbryologyError(f"{folder / RECORD} is damaged; freeze the run again") from error
    except FileNotFoundError as error:
        raise EmbryologyError(f"{error.filename} is missing; freeze the run again") from error


def _file(step: int) -> str:
    return f"step-{step:08d}.gz"


def _models(checkpoint: Checkpoint) -> list[Checkpoint]:
    return [each for each in (checkpoint, checkpoint.generator) if each]


def _loaded(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    checkpoint.verify()
    files = weight_files_in(checkpoint.location)
    if PICKLED in files:
        raise EmbryologyError(f"the weights of {checkpoint.name} are no safetensors")
    tensors: dict[str, np.ndarray] = {}
    try:
        for file in files:
            tensors |= load_file(checkpoint.location / file)
    except (SafetensorError, TypeError, KeyError, AttributeError) as error:
        raise EmbryologyError(f"the weights of {checkpoint.name} cannot be read: {error}") from error
    return tensors


def _graphs(checkpoint: Checkpoint) -> dict[str, roles.Graph]:
    graphs = [roles.graph(read_json(each.location / CONFIG), _loaded(each)) for each in _models(checkpoint)]
    return {graph.asked: graph for graph in graphs}


def _read(checkpoint: Checkpoint, names: dict[str, str], same: dict[str, str]) -> dict[str, np.ndarray]:
    """By role in the order of :attr:`Packed.tensors`."""
    found: dict[str, np.ndarray] = {}
    for each in _models(checkpoint):
        tensors = _loaded(each)
        asked = roles.graph(read_json(each.location / CONFIG), tensors).asked
        for role, name in names.items():
            if role.startswith(f"{asked}/") and role not in same:
                found[role] = np.asarray(tensors[name], np.float32)
                if not np.isfinite(found[role]).all():
                    raise EmbryologyError(f"{checkpoint.name} has weights that are no numbers, in {name}")
    return dict(sorted(found.items(), key=lambda item: -item[1].ndim))


def _same(checkpoints: Sequence[Checkpoint], names: dict[str, str]) -> dict[str, str]:
    """Tensors that one model has from the other, as ELECTRA's its embeddings, and a head that is the embedding."""
    candidates: dict[str, str] | None = None
    for checkpoint in checkpoints:
        tensors, here = _read(checkpoint, names, {}), {}
        first: dict[tuple[tuple[int, ...], bytes], str] = {}
        for role, tensor in tensors.items():
            if tensor.ndim == 2:
                key = tensor.shape, hashlib.sha256(tensor.tobytes()).digest()
                if first.setdefault(key, role) != role:
                    here[role] = first[key]
        candidates = here if candidates is None else {k: v for k, v in candidates.items() if here.get(k) == v}
    return candidates or {}


def _tokenizer(checkpoint: Checkpoint) -> dict[str, Any]:
    file = checkpoint.location / TOKENIZER
    if not file.is_file():
        raise EmbryologyError(f"{checkpoint.name} has no {TOKENIZER}")
    content: dict[str, Any] = json.loads(file.read_bytes())
    return content
