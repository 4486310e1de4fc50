"""Matrices in eight bits with one scale a row for all checkpoints, vectors in float16; neighbours as differences.

As a row has one scale throughout training, a weight that does not move is the same number in two checkpoints, and the
difference is zero: of ``tiny`` the 25 checkpoints take 24 MB instead of 46 (``benchmarks/README.md``). The last one is
kept whole, as it is asked first, and each of the others as its difference from the one after it.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

LARGEST = 127
"""Of the numbers, of either sign."""
GZIP = 31
"""zlib's word for a gzip header, which every browser can read; without a time in it."""

Tensors = Mapping[str, np.ndarray]


def scales(checkpoints: Iterable[Tensors]) -> dict[str, np.ndarray]:
    """By role (rows,) float32 of each matrix: what one step of the eight bits is worth.

    Args:
        checkpoints: of each its matrices and vectors by role; read once, one at a time.
    """
    largest: dict[str, np.ndarray] = {}
    for tensors in checkpoints:
        for role, tensor in tensors.items():
            if tensor.ndim == 2:
                here = np.abs(tensor).max(axis=1)
                largest[role] = np.maximum(largest[role], here) if role in largest else here
    return {role: (each / LARGEST).astype(np.float32) for role, each in largest.items()}


def quantise(tensors: Tensors, scale: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Matrices as int8 (rows, columns), vectors as float16."""
    result = {}
    for role, tensor in tensors.items():
        if role in scale:
            step = np.where(scale[role] > 0, scale[role], 1)[:, None]
            result[role] = np.clip(np.rint(tensor / step), -LARGEST, LARGEST).astype(np.int8)
        else:
            result[role] = tensor.astype(np.float16)
    return result


def dequantise(tensors: Tensors, scale: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What is computed with: float32, of the shapes that :func:`quantise` was given."""
    return {
        role: tensor.astype(np.float32) * (scale[role][:, None] if role in scale else np.float32(1))
        for role, tensor in tensors.items()
    }


def pack(tensors: Tensors, after: Tensors | None) -> bytes:
    """A checkpoint, gzipped: its bytes, or their differences modulo 256 from those of the one ``after`` it.

    Matrices stand first, then vectors, each in the order given.
    """
    content = _bytes(tensors)
    if after is not None:
        content = content - _bytes(after)
    # Differences of weights repeat nothing: only their frequencies can be used, and looking for more takes longer.
    packer = zlib.compressobj(9, zlib.DEFLATED, GZIP, strategy=zlib.Z_HUFFMAN_ONLY)
    return packer.compress(content.tobytes()) + packer.flush()


def unpack(content: bytes, after: Tensors | None, shapes: Sequence[tuple[str, tuple[int, ...]]]) -> Tensors:
    """What :func:`pack` was given, from what it made; ``shapes`` by role in its order.

    Raises:
        zlib.error, ValueError: the bytes are damaged, or fewer or more than the shapes say.
    """
    data = np.frombuffer(zlib.decompress(content, GZIP), np.uint8)
    if after is not None:
        data = data + _bytes(after)
    result, start = {}, 0
    for role, shape in shapes:
        dtype = np.dtype(np.int8 if len(shape) == 2 else np.float16)
        end = start + int(np.prod(shape)) * dtype.itemsize
        result[role] = data[start:end].view(dtype).reshape(shape)
        start = end
    if start != len(data):
        raise ValueError(f"{len(data)} bytes, not {start}")
    return result


def _bytes(tensors: Tensors) -> np.ndarray:
    return np.concatenate([np.ascontiguousarray(tensor).reshape(-1).view(np.uint8) for tensor in tensors.values()])
