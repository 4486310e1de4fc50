"""Where tensors lie in a pickle of torch: read without torch, by range, and without running what a pickle may ask for.

Since torch 1.6 such a file is a zip archive of a small pickle and of the bytes of every storage, uncompressed. The
pickle is read by an unpickler that knows the few names that tensors need, and refuses every other.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from typing import Any

from embryology.runs.contents import Counted

DTYPES = {"DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16"}
"""As safetensors calls them; of others only the name is told."""
OLDER = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
"""What files of the form before begin with."""
LARGEST_PICKLE = 10**8
"""Bytes of the small pickle."""

Place = tuple[str, tuple[int, ...], int, int]
"""Dtype, shape, where in the file the storage's own header is, and how many numbers into the storage it begins."""


class _Ranges(io.RawIOBase):
    """A file that is read where somebody looks."""

    def __init__(self, contents: Counted, name: str) -> None:
        self._contents, self._name = contents, name
        self._size, self._place = contents.files[name].size, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence])
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        end = self._size if size is None or size < 0 else min(self._place + size, self._size)
        content = self._contents.read(self._name, self._place, end) if end > self._place else b""
        self._place += len(content)
        return content


class _Storage(str):
    """The name of a kind of storage."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuilt
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if module == "torch" and name.endswith("Storage"):
            return _Storage(name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of weights")

    def persistent_load(self, pid: Any) -> Any:
        _, kind, key, *_ = pid
        return str(kind), str(key)


def _rebuilt(storage: tuple[str, str], offset: int, shape: Any, stride: Any, *_: Any) -> Any:
    """What stands for a tensor: its storage, offset in numbers and shape; None where its numbers are not in order."""
    plain = tuple(math.prod(shape[place + 1 :]) for place in range(len(shape)))
    return (*storage, int(offset), tuple(shape)) if tuple(stride) == plain or 0 in shape else None


def places(contents: Counted, name: str) -> dict[str, Place] | None:
    """The tensors of a pickle by name; None of one of the older form, which would have to be read as a whole.

    Raises:
        ValueError: it is truncated, damaged, or holds anything but weights.
        EmbryologyError: it cannot be read.
    """
    beginning = contents.read(name, 0, len(OLDER))
    if beginning == OLDER:
        return None
    if not beginning.startswith(b"PK"):
        raise ValueError("torch did not write it")
    try:
        with zipfile.ZipFile(_Ranges(contents, name)) as archive:
            headers = {each.filename.partition("/")[2]: each.header_offset for each in archive.infolist()}
            (inner,) = (each for each in archive.infolist() if each.filename.endswith("/data.pkl"))
            if inner.file_size > LARGEST_PICKLE:
                raise ValueError("its pickle is too large")
            state = _Unpickler(io.BytesIO(archive.read(inner))).load()
        tensors = {tensor: made for tensor, made in state.items() if isinstance(made, tuple)}
        return {
            tensor: (DTYPES.get(kind, str(kind)), shape, headers[f"data/{key}"], offset)
            for tensor, (kind, key, offset, shape) in tensors.items()
        }
    except (zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise ValueError(str(error)) from error
    except (KeyError, TypeError, AttributeError, IndexError, EOFError, RecursionError) as error:
        raise ValueError("it holds what is no weights") from error


def begin(contents: Counted, name: str, header: int) -> int:
    """Where the bytes of a storage begin, which are after its header in the archive.

    Raises:
        EmbryologyError: it cannot be read.
    """
    # A header of 30 bytes ends with how long its name is, and what else stands between it and the bytes.
    lengths = contents.read(name, header + 26, header + 30)
    return header + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
