"""Sections of a preset that name another run, whose weights or answers a run begins with."""

from typing import Literal

from pydantic import PositiveInt, model_validator

from embryology.presets.sections import Section


class StartsFrom(Section):
    """The step of another run whose state a run begins with, instead of training the same up to there."""

    run: str
    """Its name or path; ``{seed}`` stands for the seed."""
    step: PositiveInt


class GrownFrom(Section):
    """A smaller run whose weights a run begins with, made larger (:mod:`embryology.pretraining.growing`)."""

    run: str
    """Its name or path; ``{seed}`` stands for the seed."""
    step: PositiveInt
    by: Literal["fpi", "aki"] = "fpi"
    """Whether added units are copies, or are those of the layer above (bert2BERT, Chen et al. 2022)."""
    split: Literal["even", "uneven"] = "even"
    """Whether all copies of a unit are read alike, as published, or as much as chance gives each."""


class Order(Section):
    """In which order the sequences of a run are read, each as often as without it and masked alike."""

    by: Literal["length", "rarity", "surprisal"]
    """Pieces a sentence, how rare pieces are in the text, or the masked loss of a ``teacher``; small ones come first
    (:mod:`embryology.pretraining.order`)."""
    reversed: bool = False
    teacher: StartsFrom | None = None
    """The run and checkpoint whose loss it is."""

    @model_validator(mode="after")
    def _has_whom_it_asks(self) -> "Order":
        if (self.by == "surprisal") != (self.teacher is not None):
            raise ValueError("an order by surprisal, and that alone, has a teacher")
        return self
