"""A larger model made of a smaller one's weights, which computes what that computed (Chen et al. 2022, bert2BERT).

Widened, every unit stands several times, and what reads it takes a share of each (function-preserving initialisation,
FPI, after Net2Net, Chen et al. 2016). Copies that are read alike are also trained alike, and stay copies for ever where
there is no dropout; shares that are drawn *uneven*, which the paper does not do, keep the function and part them.
Advanced knowledge initialisation (AKI) parts them by taking the added units of a layer from the layer above it instead,
which changes the function; one of ALBERT has no other above it.

Deepened, a BERT gets layers that hand on what they are given. After a layer norm that is only possible if the layer
below leaves its gains and biases to the last of its copies; the paper stacks layers, which changes the function.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from embryology.models.forward import ALBERT, BERT
from embryology.presets import GrownFrom, Model
from embryology.pretraining.batches import Batch
from embryology.pretraining.trainee import ARCHITECTURES, Trainee
from embryology.runs.checkpoints import Checkpoint

HIDDEN, EMBEDDING, WIDE, HEADS = "hidden", "embedding", "intermediate", "heads"
COPIED, SHARED = "copied", "shared"
"""What becomes of an axis: units stand several times, or what reads them takes its share of each."""
Axis = tuple[str, str] | None
"""Which units an axis has and what becomes of it; None where it stays."""
LAYER = re.compile(r"\.layer\.(\d+)\.")
UNEVEN = 0.5, 1.5
"""Between these weights are drawn, of which a copy's share is its part."""


def refusal(source: Model, target: Model, grown: GrownFrom) -> str | None:
    """Why a model of one shape cannot be grown into one of another, as a clause; None where it can."""
    one, other = source.model_dump(), target.model_dump()
    if source.family != target.family:
        return f"a {source.family} cannot become a {target.family}"
    if source.family == "electra":
        return "an electra cannot be grown, as its generator would have to be as well; albert and bert can"
    if source == target:
        return "both are of one shape, so that nothing grows; a run that goes on has starts_from"
    for name in ("hidden_size", "embedding_size"):
        if other[name] % one[name]:
            return (
                f"{name} {other[name]} is no multiple of {one[name]}, without which layer norms change what they give"
            )
    for name in ("intermediate_size", "num_hidden_layers"):
        if other[name] < one[name]:
            return f"{name} {other[name]} is less than {one[name]}"
    head_sizes = [shape.hidden_size // shape.num_attention_heads for shape in (source, target)]
    if head_sizes[0] != head_sizes[1]:
        return f"heads have {head_sizes[0]} and {head_sizes[1]} units each; only their number can grow"
    if source.family == "albert" and source.num_hidden_layers != target.num_hidden_layers:
        return "an albert's layers are one, and to pass it more often changes what is computed; it can only be widened"
    if source.family == "albert" and grown.by == "aki":
        return "aki takes added units from the layer above, and an albert's layers are one; by: fpi can be used"
    return None


def copies(source: int, target: int, rng: np.random.Generator) -> np.ndarray:
    """(target,) int64: of which of ``source`` units each is a copy.

    First stands every unit itself, then all of them in random order, as often as there is room: each equally often,
    but for one.
    """
    rows = [np.arange(source)]
    while sum(map(len, rows)) < target:
        rows.append(rng.permutation(source))
    return np.concatenate(rows)[:target]


@dataclass
class Widths:
    """Which unit of the smaller model each unit of the larger one copies, by the kind of units."""

    by_kind: dict[str, np.ndarray]
    uneven: bool
    rng: np.random.Generator
    drawn: dict[str, Tensor] = field(default_factory=dict)
    """By module, as gain and bias of a norm are shared alike."""

    @classmethod
    def of(cls, source: PreTrainedConfig, target: PreTrainedConfig, uneven: bool, seed: int) -> "Widths":
        rng = np.random.default_rng(seed)
        by_kind = {HIDDEN: copies(source.hidden_size, target.hidden_size, rng)}
        is_albert = source.model_type == "albert"
        by_kind[EMBEDDING] = copies(source.embedding_size, target.embedding_size, rng) if is_albert else by_kind[HIDDEN]
        by_kind[WIDE] = copies(source.intermediate_size, target.intermediate_size, rng)
        size = source.hidden_size // source.num_attention_heads
        heads = copies(source.num_attention_heads, target.num_attention_heads, rng)
        by_kind[HEADS] = (heads[:, None] * size + np.arange(size)).ravel()
        return cls(by_kind, uneven, rng)

    def shares(self, kind: str, module: str) -> Tensor:
        """(units of the larger model,): what a reader takes of each copy; those of one unit are 1 together."""
        if module not in self.drawn:
            units = self.by_kind[kind]
            weights = self.rng.uniform(*UNEVEN, len(units)) if self.uneven else np.ones(len(units))
            self.drawn[module] = torch.from_numpy(weights / np.bincount(units, weights)[units]).float()
        return self.drawn[module]

    def widened(self, name: str, values: Tensor, axes: tuple[Axis, ...]) -> Tensor:
        """A parameter with its axes grown."""
        for number, axis in enumerate(axes):
            if axis is None:
                continue
            kind, how = axis
            values = values.index_select(number, torch.from_numpy(self.by_kind[kind]))
            if how == SHARED:
                shape = [-1 if place == number else 1 for place in range(values.ndim)]
                values = values * self.shares(kind, name.rpartition(".")[0]).view(shape)
        return values


def _axes(name: str, config: PreTrainedConfig) -> tuple[Axis, ...]:
    """Of a parameter by its name."""
    module, _, part = name.rpartition(".")
    albert = config.model_type == "albert"
    if module.endswith("_embeddings"):
        return None, (EMBEDDING, COPIED)
    if module.endswith(("classifier", "seq_relationship")):
        return (None, (HIDDEN, SHARED)) if part == "weight" else (None,)
    if name.endswith("predictions.bias"):
        return (None,)
    if module.endswith(("predictions.LayerNorm", "transform.LayerNorm")):
        # The decoder is the table of embeddings, whose units are copied: what is multiplied with them is shared out.
        return ((EMBEDDING, SHARED),)
    if module.endswith(("LayerNorm", "layer_norm")):
        return ((EMBEDDING if ".embeddings." in module else HIDDEN, COPIED),)
    gives, reads = next(axes for end, axes in _maps(albert) if module.endswith(end))
    return ((gives, COPIED), (reads, SHARED)) if part == "weight" else ((gives, COPIED),)


def _maps(albert: bool) -> list[tuple[str, tuple[str, str]]]:
    """By the end of its name which units each linear map gives and reads; the first end that fits counts."""
    names = ALBERT if albert else BERT
    return [
        ("predictions.dense" if albert else "transform.dense", (EMBEDDING, HIDDEN)),
        ("embedding_hidden_mapping_in", (HIDDEN, EMBEDDING)),
        ("pooler" if albert else "pooler.dense", (HIDDEN, HIDDEN)),
        *((each, (HEADS, HIDDEN)) for each in (names.query, names.key, names.value)),
        (names.attended, (HIDDEN, HEADS)),
        (names.widened, (WIDE, HIDDEN)),
        (names.narrowed, (HIDDEN, WIDE)),
    ]


def parameters(source: PreTrainedModel, target: PreTrainedConfig, settings: GrownFrom, seed: int) -> dict[str, Tensor]:
    """Those of a model of the shape ``target``, which :func:`refusal` has nothing against, by name."""
    config = source.config
    widths = Widths.of(config, target, settings.split == "uneven", seed)
    smaller = {name: value.detach() for name, value in source.named_parameters()}
    larger = {}
    for name, values in smaller.items():
        axes = _axes(name, config)
        larger[name] = widths.widened(name, values, axes)
        above = LAYER.sub(lambda found: f".layer.{int(found[1]) + 1}.", name)
        if settings.by == "aki" and above != name and above in smaller and "LayerNorm" not in name:
            larger[name][len(values) :] = widths.widened(name, smaller[above], axes)[len(values) :]
    if config.model_type == "bert":
        larger = deepened(larger, config.num_hidden_layers, target.num_hidden_layers)
    return larger


def deepened(smaller: Mapping[str, Tensor], source: int, target: int) -> dict[str, Tensor]:
    """Parameters of a BERT of ``target`` layers that computes what one of ``source`` layers does.

    Every layer is followed by its copies. They add nothing to what they are given, as their outputs are multiplied by
    zero, and the last one has the gains and biases that stood in the layer's own last norm.
    """
    larger = {name: value for name, value in smaller.items() if not LAYER.search(name)}
    origins = [number * source // target for number in range(target)]
    for number, origin in enumerate(origins):
        first, last = origins.index(origin) == number, origins[number + 1 : number + 2] != [origin]
        plain = ([] if first else [BERT.attended_norm]) + ([] if last else [BERT.norm])
        silent = [] if first else [BERT.attended, BERT.narrowed]
        prefix = f".layer.{origin}."
        for name in [name for name in smaller if prefix in name]:
            before, _, inner = name.partition(prefix)
            module, _, part = inner.rpartition(".")
            value = smaller[name]
            if module in plain:
                value = torch.full_like(value, float(part == "weight"))
            larger[f"{before}.layer.{number}.{inner}"] = torch.zeros_like(value) if module in silent else value
    return larger


@torch.no_grad()
def grow(model: PreTrainedModel, checkpoint: Checkpoint, settings: GrownFrom, seed: int) -> PreTrainedModel:
    """Give ``model`` the parameters that are grown from a checkpoint of another run.

    Args:
        model: of the larger shape.
        checkpoint: of the smaller one.
        settings: how.
        seed: of the order of copies, and of uneven shares.

    Returns:
        The smaller model.
    """
    architecture: Any = ARCHITECTURES[model.config.model_type]
    source: PreTrainedModel = architecture.from_pretrained(checkpoint.location)
    larger = parameters(source, model.config, settings, seed)
    for name, parameter in model.named_parameters():
        assert parameter.shape == larger[name].shape, name
        parameter.copy_(larger[name])
    return source


@torch.no_grad()
def difference(one: PreTrainedModel, other: PreTrainedModel, batch: Batch) -> float:
    """By how much the logits of masked places and of pairs of segments differ at most, in float32."""
    worst = 0.0
    outputs = [Trainee(nn.ModuleDict({"model": model})).eval().outputs(batch) for model in (one, other)]
    for each in zip(*((output.masked(), output.pair) for output in outputs), strict=True):
        worst = max(worst, float((each[0] - each[1]).abs().max()))
    return worst
