"""Tensors in files of weights: what their headers say, and the few numbers that stand for a model.

A model is known by a stretch of at most :data:`STRETCH` numbers of some of its matrices: of each block of layers the
largest attention matrix and the largest other one, of the first, the middle and the last layer; and of every matrix
that is in no layer, which are embeddings and heads. Vectors (biases, norms) are left out: all seeds begin with the same
constants there. A stretch is whole rows from one that is drawn from the tensor's name: the same in all checkpoints, and
not the beginning of a vocabulary, whose first rows may be reserved and never trained.
"""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from embryology.errors import EmbryologyError
from embryology.runs.audit import pickles
from embryology.runs.contents import Counted

STRETCH = 2**14
"""Numbers, 64 KB of float32: the cosine of two that are independent is 0 with a standard deviation of 0.008."""
MOST_ROWS = 128
"""Of a narrow matrix; more would tell little more of which unit is which."""
LARGEST_HEADER = 10**8
"""Bytes, as safetensors has it."""
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
"""Of a number, by the dtypes that are read; others (integers, masks, eight bits) are not trained weights."""
SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d+)-of-(?P<count>\d+)\.(?P<ending>safetensors|bin)")


class DamagedError(EmbryologyError):
    """A file that is not what its format asks for."""


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies."""

    file: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    """Of its bytes in the file, or in its storage."""
    storage: int | None = None
    """Of a pickle, where the header of its storage is in the file."""


@dataclass(frozen=True)
class Stretch:
    """Rows of a tensor, which is taken as a matrix with the last dimension as columns."""

    name: str
    first: int
    rows: int
    columns: int


def weights_files(files: Iterable[str]) -> list[str]:
    """Of names of files those that hold weights: safetensors, whole or in shards, else pickles of torch, else none."""
    names = sorted(files)
    for stem, ending in (("model", "safetensors"), ("pytorch_model", "bin")):
        whole = f"{stem}.{ending}"
        shards = [
            name
            for name in names
            if (part := SHARD.fullmatch(name)) and (part["stem"], part["ending"]) == (stem, ending)
        ]
        if whole in names or shards:
            return [whole] if whole in names else shards
    return []


def missing_shards(weights: list[str]) -> list[str]:
    """Names of the shards that the names of others tell of."""
    part = SHARD.fullmatch(weights[0]) if weights else None
    if part is None:
        return []
    stem, digits, count, ending = part["stem"], len(part["number"]), part["count"], part["ending"]
    names = (f"{stem}-{number:0{digits}}-of-{count}.{ending}" for number in range(1, int(count) + 1))
    return [name for name in names if name not in weights]


def listed(contents: Counted, file: str) -> dict[str, Tensor] | None:
    """The tensors of a file of weights by name, from a few bytes of it; None where only its whole would tell.

    Raises:
        DamagedError: it is truncated, longer than it says, or holds anything but weights.
        EmbryologyError: it cannot be read.
    """
    if file.endswith(".safetensors"):
        return _header(contents, file)
    try:
        places = pickles.places(contents, file)
    except ValueError as error:
        raise DamagedError(f"{file} is truncated or damaged: {error}") from error
    if places is None:
        return None
    return {
        name: Tensor(file, dtype, shape, offset * BYTES.get(dtype, 0), storage)
        for name, (dtype, shape, storage, offset) in places.items()
    }


def _header(contents: Counted, file: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file, whose header is held against its size."""
    size = contents.files[file].size
    length = int.from_bytes(contents.read(file, 0, min(8, size)), "little")
    if size < 8 or length > min(LARGEST_HEADER, size - 8):
        raise DamagedError(f"{file} is truncated within its header, or no safetensors file")
    try:
        listed = json.loads(contents.read(file, 8, 8 + length))
        listed.pop("__metadata__", None)
        spans = {name: tuple(each["data_offsets"]) for name, each in listed.items()}
        tensors = {
            name: Tensor(file, each["dtype"], tuple(map(int, each["shape"])), 8 + length + int(spans[name][0]))
            for name, each in listed.items()
        }
        ends = sorted(spans.values())
        gapless = all(one[1] == other[0] for one, other in itertools.pairwise([(0, 0), *ends]))
        sizes = {name: end - start for name, (start, end) in spans.items()}
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise DamagedError(f"{file} has a damaged header") from error
    wrong = [
        name
        for name, tensor in tensors.items()
        if tensor.dtype in BYTES and sizes[name] != BYTES[tensor.dtype] * math.prod(tensor.shape)
    ]
    if wrong or not gapless:
        raise DamagedError(f"{file} has a damaged header")
    expected = 8 + length + (ends[-1][1] if ends else 0)
    if size != expected:
        what = "is truncated" if size < expected else "is too long"
        raise DamagedError(f"{file} {what}: it has {size:,} bytes, and its header speaks of {expected:,}")
    return tensors


def chosen(tensors: Mapping[str, Tensor]) -> list[Stretch]:
    """The stretches that stand for a model, see above."""
    outside: list[str] = []
    blocks: dict[tuple[str, bool], dict[tuple[int, ...], list[str]]] = {}
    for name, tensor in tensors.items():
        if tensor.dtype not in BYTES or len(tensor.shape) < 2 or not math.prod(tensor.shape):
            continue
        parts = name.split(".")
        numbers = tuple(int(part) for part in parts if part.isdigit())
        stem = ".".join(itertools.takewhile(lambda part: not part.isdigit(), parts))
        if numbers:
            blocks.setdefault((stem, "att" in name.lower()), {}).setdefault(numbers, []).append(name)
        else:
            outside.append(name)
    names = outside
    for layers in blocks.values():
        ordered = sorted(layers)
        for number in sorted({0, len(ordered) // 2, len(ordered) - 1}):
            names.append(max(layers[ordered[number]], key=lambda name: (math.prod(tensors[name].shape), name)))
    return [_stretch(name, tensors[name].shape) for name in sorted(names)]


def _stretch(name: str, shape: tuple[int, ...]) -> Stretch:
    height, columns = math.prod(shape[:-1]), shape[-1]
    rows = min(height, MOST_ROWS, max(1, STRETCH // columns))
    drawn = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return Stretch(name, drawn % (height - rows + 1), rows, columns)


def read(contents: Counted, tensor: Tensor, stretch: Stretch) -> bytes:
    """The bytes of a stretch.

    Raises:
        EmbryologyError: they cannot be read.
    """
    width = BYTES[tensor.dtype] * stretch.columns
    start = tensor.start + stretch.first * width
    if tensor.storage is not None:
        start += pickles.begin(contents, tensor.file, tensor.storage)
    end = start + stretch.rows * width
    content = contents.read(tensor.file, start, end)
    if len(content) != end - start:
        raise DamagedError(f"{tensor.file} gave {len(content):,} bytes where {end - start:,} were asked for")
    return content


def numbers(content: bytes, dtype: str) -> np.ndarray:
    """The bytes of numbers of a dtype of :data:`BYTES`, as float32."""
    if dtype == "BF16":  # the upper half of a float32
        return (np.frombuffer(content, "<u2").astype("<u4") << 16).view("<f4").astype(np.float32)
    return np.frombuffer(content, f"<f{BYTES[dtype]}").astype(np.float32)


def precision(values: np.ndarray) -> str:
    """The least dtype that holds all of some float32 numbers exactly: a conversion that the dtype does not show."""
    if not (values.view(np.uint32) & 0xFFFF).any():
        return "BF16"
    with np.errstate(over="ignore"):
        return "F16" if np.array_equal(values.astype(np.float16).astype(np.float32), values) else "F32"
