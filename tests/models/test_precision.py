"""Which precision is taken where."""

from pathlib import Path

import pytest
import torch

from embryology.models import precision


@pytest.mark.parametrize(
    ("flags", "native"),
    [
        ("flags\t\t: fpu avx512_bf16 vnni", True),
        ("flags : amx_bf16", True),
        ("flags : avx512f avx2", False),
        ("model name : avx512_bf16\nflags : fpu avx512_bf16x", False),
        ("", False),
    ],
)
def test_bfloat16_is_taken_where_the_processor_multiplies_in_it(monkeypatch, flags, native):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: f"processor : 0\n{flags}\n")
    assert precision.native_bfloat16() is native
    assert precision.resolve("auto") == ("bfloat16" if native else "float32")
    assert precision.resolve("float32") == "float32"
    assert precision.resolve("bfloat16") == "bfloat16"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: not native)
    assert precision.resolve("auto", "cuda:0") == ("float32" if native else "bfloat16")  # the card decides for itself


def test_a_machine_that_does_not_say_gets_float32(monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert precision.resolve("auto") == "float32"
