"""What a probe is. Each probe is one file here; :mod:`embryology.probes.registry` lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pandas as pd
from pydantic import BaseModel, ConfigDict, PositiveInt

from embryology.runs.checkpoints import Series

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


class ProbeSettings(BaseModel):
    """Base of every probe's settings, the preset's section of its name; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: PositiveInt = 1
    """Of all checkpoints, every how many-th is measured; the last one always is, and those that are asked for."""


class Probe(Protocol):
    """A measurement that can be taken of any checkpoint.

    The runner does the rest: the key, skipping what exists, writing, progress, going on after a
    checkpoint that fails.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised whenever the same input would give other numbers."""
    needs: ClassVar[frozenset[str]]
    """What a model must have: ``masked-head``, ``hidden-states``, ``attentions``."""
    Settings: ClassVar[type[ProbeSettings]]

    def inputs(self, settings: Any, series: Series) -> dict:
        """What identifies the data, cheaply: it goes into the key, so that new data means new measurements.

        Raises:
            EmbryologyError: the data are asked for and not there; the message says how to get them.
        """

    def prepare(self, settings: Any, tokenizer: PreTrainedTokenizerFast, series: Series) -> Any:
        """The examples, once for many checkpoints."""

    def measure(self, encoder: Any, examples: Any) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        """Measure one checkpoint.

        A probe that takes long may have ``parts(settings, series)`` instead, which gives by name what each part
        depends on beside the checkpoint, and ``measure_part(encoder, examples, name)``. The runner keeps each part,
        so that nothing is measured again where it was interrupted or where parts are added.

        Returns:
            A table with the columns task, item, layer, metric, value, low, high, n, seed and baseline of the
            measurements' SCHEMA (the runner adds the others; of parts also the layer), and a table of items with a
            stable ``item_id``, or None.
        """
