"""How probes measure, one file a probe. What they are called, need and show stands in :mod:`embryology.specs`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from embryology.runs.series import Series
from embryology.specs import Specification

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

WHOLE = ""
"""The name of the part of a measurement that has no others."""


class Probe(ABC):
    """A measurement that can be taken of any checkpoint.

    The runner does the rest: keys, skipping what exists, writing, progress, going on after a checkpoint that fails.
    Each method may raise :class:`embryology.specs.NotApplicable`.
    """

    specification: ClassVar[Specification]

    @abstractmethod
    def inputs(self, settings: Any, series: Series) -> dict[str, Any]:
        """What identifies the data, cheaply: it goes into the key, so that new data means new measurements.

        Raises:
            EmbryologyError: the data are asked for and not there; the message says how to get them.
        """

    @abstractmethod
    def prepare(self, settings: Any, tokenizer: PreTrainedTokenizerFast, series: Series) -> Any:
        """The examples, once for many checkpoints."""

    def parts(self, settings: Any, series: Series) -> dict[str, dict[str, Any]]:
        """By name of each part what it depends on beside the checkpoint.

        The runner keeps parts, so that nothing is measured again where a probe that takes long was interrupted, or
        where parts are added. Most probes have one part, and do not say so.
        """
        return {WHOLE: {}}

    def texts(self, settings: Any, tokenizer: PreTrainedTokenizerFast, series: Series) -> pd.DataFrame | None:
        """The texts of the items, of which :mod:`embryology.probes.properties` counts what no checkpoint changes.

        The checkpoints need not be there. There may be more items than are measured.

        Returns:
            A row an item: ``item_id`` as in the table of items, and its ``task`` where an id is that of several
            items; ``text``, all that the model is shown of it; ``word``, what is asked, empty where that is nothing
            in the text. Further ``pieces`` of the word (a tuple of ids), where its frequency or exposure is counted;
            ``context``, all pieces of the text, and ``place`` of the word's first one in it, where n-grams are; and
            ``subject``, where the exposure of a fact is, whose object is the word. None where nothing is counted of
            the items.
        """
        return None

    @abstractmethod
    def measure(
        self, encoder: Any, examples: Any, part: str = WHOLE
    ) -> tuple[list[dict[str, Any]], pd.DataFrame | None]:
        """Measure a part of one checkpoint.

        Args:
            encoder: an :class:`embryology.models.encoder.Encoder`.
            examples: of :meth:`prepare`.
            part: of :meth:`parts`.

        Returns:
            Rows of :func:`embryology.runs.measurements.row`, and a table of items with a stable ``item_id``, or None.
        """
