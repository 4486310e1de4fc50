"""Where bfloat16 is faster than float32: only where the processor computes in it."""

from pathlib import Path
from typing import Literal

from embryology.specs import Precision

CPU_FLAGS = {"avx512_bf16", "amx_bf16"}


def native_bfloat16(device: str = "cpu") -> bool:
    """Whether ``device`` (a torch device name, such as ``cpu`` or ``cuda:0``) multiplies in bfloat16 itself.

    Elsewhere bfloat16 is emulated and several times slower than float32. Processors are asked through
    Linux's ``/proc/cpuinfo``; where there is none the answer is no.
    """
    if device.startswith("cuda"):
        import torch  # late: the command line asks about processors without loading torch

        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(line.startswith("flags") and CPU_FLAGS & set(line.split()) for line in lines)


def resolve(precision: Precision, device: str = "cpu") -> Literal["bfloat16", "float32"]:
    """``precision`` with ``auto`` decided for ``device``."""
    if precision == "auto":
        return "bfloat16" if native_bfloat16(device) else "float32"
    return precision
