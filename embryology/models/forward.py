"""The forward pass of ALBERT, BERT and ELECTRA in training: what transformers computes, in less time.

A step of a small model on a processor is spent in few matrix products and in much around them.
Here parameters are cast once a step (autocast casts ALBERT's shared ones at every pass through the
layer), query, key and value are one product, attention is two batched products (on a processor, at
these lengths, several times faster than the fused kernel with its backward pass), and the last layer
is computed only where its vectors are asked for. ``benchmarks/README.md`` says what each gives.

Functions take a model's parameters by name, as ``named_parameters`` gives them, in any precision. Products with weights
are computed in theirs; attention, and what is handed from layer to layer, in that of embeddings and norms: in float32
it costs a little more, and bfloat16's errors are about a third (``benchmarks/README.md``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedConfig

Parameters = Mapping[str, Tensor]


@dataclass(frozen=True)
class LayerNames:
    """What the parts of a transformer layer are called in a family of transformers' models."""

    query: str
    key: str
    value: str
    attended: str
    attended_norm: str
    widened: str
    narrowed: str
    norm: str


ALBERT = LayerNames(
    query="attention.query", key="attention.key", value="attention.value",
    attended="attention.dense", attended_norm="attention.LayerNorm",
    widened="ffn", narrowed="ffn_output", norm="full_layer_layer_norm",
)  # fmt: skip
BERT = LayerNames(
    query="attention.self.query", key="attention.self.key", value="attention.self.value",
    attended="attention.output.dense", attended_norm="attention.output.LayerNorm",
    widened="intermediate.dense", narrowed="output.dense", norm="output.LayerNorm",
)  # fmt: skip


@dataclass(frozen=True)
class LayerParameters:
    """The parameters of one layer, those of query, key and value joined."""

    inward: tuple[Tensor, Tensor]
    """(3 × hidden size, hidden size) and (3 × hidden size,)."""
    attended: tuple[Tensor, Tensor]
    attended_norm: tuple[Tensor, Tensor]
    widened: tuple[Tensor, Tensor]
    narrowed: tuple[Tensor, Tensor]
    norm: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, parameters: Parameters, prefix: str, names: LayerNames) -> "LayerParameters":
        joined = [pair(parameters, f"{prefix}.{name}") for name in (names.query, names.key, names.value)]
        inward = torch.cat([weight for weight, _ in joined]), torch.cat([bias for _, bias in joined])
        return cls(inward, *(pair(parameters, f"{prefix}.{getattr(names, name)}") for name in OTHERS))


OTHERS = [field.name for field in fields(LayerParameters)][1:]
"""Looked up here: torch's compiler would end its graph at ``fields``, and compile a layer at a time."""


def computes(config: PreTrainedConfig) -> bool:
    """Whether :func:`encode` gives what transformers gives for a model of this configuration."""
    return (
        config.model_type in ("albert", "bert", "electra")
        and config.hidden_act in ("gelu_new", "gelu_pytorch_tanh")
        and getattr(config, "num_hidden_groups", 1) == getattr(config, "inner_group_num", 1) == 1
    )


def pair(parameters: Parameters, name: str) -> tuple[Tensor, Tensor]:
    return parameters[f"{name}.weight"], parameters[f"{name}.bias"]


def norm(x: Tensor, weight_and_bias: tuple[Tensor, Tensor], config: PreTrainedConfig) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], *weight_and_bias, config.layer_norm_eps)


def gelu(x: Tensor) -> Tensor:
    """In its tanh form, as in the released code of all three papers."""
    return functional.gelu(x, approximate="tanh")


def dropped(x: Tensor, probability: float, training: bool) -> Tensor:
    return functional.dropout(x, probability, training) if probability else x


def embed(
    parameters: Parameters,
    config: PreTrainedConfig,
    ids: Tensor,
    types: Tensor,
    training: bool,
    places: Tensor | None = None,
) -> Tensor:
    """What goes into the first layer: (sequences, length, hidden size) of piece ids and segment numbers, both
    (sequences, length), at these ``places``, (length,); in a row if left out."""
    body = config.model_type
    prefix = f"{body}.embeddings"
    positions = parameters[f"{prefix}.position_embeddings.weight"]
    x = (
        functional.embedding(ids, parameters[f"{prefix}.word_embeddings.weight"])
        + functional.embedding(types, parameters[f"{prefix}.token_type_embeddings.weight"])
        + (positions[: ids.shape[1]] if places is None else functional.embedding(places, positions))
    )
    x = dropped(norm(x, pair(parameters, f"{prefix}.LayerNorm"), config), config.hidden_dropout_prob, training)
    project = f"{body}.encoder.embedding_hidden_mapping_in" if body == "albert" else f"{body}.embeddings_project"
    if f"{project}.weight" in parameters:
        weight, offset = pair(parameters, project)
        x = functional.linear(x.to(weight.dtype), weight, offset).to(x.dtype)
    return x


def unseen(attention_mask: Tensor, dtype: torch.dtype) -> Tensor:
    """(sequences, 1, 1, length): what is added to attention scores, so that padding is not attended to."""
    return torch.zeros_like(attention_mask, dtype=dtype).masked_fill(~attention_mask, torch.finfo(dtype).min)[
        :, None, None
    ]


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, dropout: float) -> Tensor:
    """Scaled dot-product attention of (sequences, heads, length, head size) tensors; queries may be fewer."""
    if query.is_cuda:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
    sequences, heads, length, head_size = key.shape
    bias = bias.expand(sequences, heads, 1, length).reshape(-1, 1, length)
    scores = torch.baddbmm(bias, query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2), alpha=head_size**-0.5)
    probabilities = dropped(scores.softmax(-1), dropout, training=True)
    return torch.bmm(probabilities, value.flatten(0, 1)).view(query.shape)


def by_head(x: Tensor, weight: Tensor, bias: Tensor, heads: int) -> tuple[Tensor, ...]:
    """What linear maps in one product, each to x's size, make of it: (sequences, heads, length, head size) a map."""
    sequences, length, hidden_size = x.shape
    mapped = functional.linear(x, weight, bias).view(sequences, length, -1, heads, hidden_size // heads)
    return mapped.permute(2, 0, 3, 1, 4).unbind(0)


def layer(
    x: Tensor,
    bias: Tensor,
    parameters: LayerParameters,
    config: PreTrainedConfig,
    training: bool,
    at: Tensor | None = None,
) -> Tensor:
    """One post-norm transformer layer on (sequences, length, hidden size), computed ``at`` some places if given.

    ``at`` is (sequences × places,) int64 into the flattened sequences, as many places in each; then the result
    is (sequences, places, hidden size).
    """
    heads, hidden_size = config.num_attention_heads, x.shape[-1]
    weight, offset = parameters.inward
    if at is None:
        query, key, value = by_head(x.to(weight.dtype), weight, offset, heads)
    else:
        key, value = by_head(x.to(weight.dtype), weight[hidden_size:], offset[hidden_size:], heads)
        x = x.flatten(0, 1).index_select(0, at).view(len(x), -1, hidden_size)
        (query,) = by_head(x.to(weight.dtype), weight[:hidden_size], offset[:hidden_size], heads)
    attention_dropout = config.attention_probs_dropout_prob if training else 0.0
    query, key, value = (part.to(x.dtype) for part in (query, key, value))
    attended = attend(query, key, value, bias, attention_dropout).transpose(1, 2).reshape(x.shape)
    return attended_to(x, attended, parameters, config, training)


def attended_to(
    x: Tensor, attended: Tensor, parameters: LayerParameters, config: PreTrainedConfig, training: bool
) -> Tensor:
    """A layer from its attention on: ``x`` went into it, and ``attended`` are the heads' values, both of one shape."""
    weight, _ = parameters.attended
    attended = dropped(
        functional.linear(attended.to(weight.dtype), *parameters.attended), config.hidden_dropout_prob, training
    )
    x = norm(x + attended, parameters.attended_norm, config)
    wide = gelu(functional.linear(x.to(weight.dtype), *parameters.widened))
    # As in the released code of all three papers; transformers has no dropout here for ALBERT.
    narrow = dropped(functional.linear(wide, *parameters.narrowed), config.hidden_dropout_prob, training)
    return norm(x + narrow, parameters.norm, config)


def encode(
    parameters: Parameters,
    config: PreTrainedConfig,
    ids: Tensor,
    types: Tensor,
    attention_mask: Tensor,
    training: bool,
    at: Tensor | None = None,
) -> Tensor:
    """The last layer's vectors.

    Args:
        parameters: of an ``AlbertModel``, ``BertModel`` or ``ElectraModel`` inside one with heads.
        config: its configuration.
        ids: (sequences, length) piece ids.
        types: (sequences, length) segment numbers.
        attention_mask: (sequences, length) bool, false at padding.
        training: whether dropout is on.
        at: (sequences × places,) int64 into the flattened batch, as many places a sequence: where the vectors
            are wanted. Everywhere if left out.

    Returns:
        (sequences, length or places, hidden size).
    """
    x = embed(parameters, config, ids, types, training)
    layers, bias = layers_of(parameters, config), unseen(attention_mask, x.dtype)
    for layer_parameters in layers[:-1]:
        x = layer(x, bias, layer_parameters, config, training)
    return layer(x, bias, layers[-1], config, training, at)


def layers_of(parameters: Parameters, config: PreTrainedConfig) -> list[LayerParameters]:
    """The parameters of all layers."""
    body = config.model_type
    if body == "albert":
        shared = LayerParameters.of(parameters, f"{body}.encoder.albert_layer_groups.0.albert_layers.0", ALBERT)
        return [shared] * config.num_hidden_layers
    return [
        LayerParameters.of(parameters, f"{body}.encoder.layer.{number}", BERT)
        for number in range(config.num_hidden_layers)
    ]


def read(parameters: Parameters, config: PreTrainedConfig, ids: Tensor, attention_mask: Tensor, at: Tensor) -> Tensor:
    """The last layer's vector at one place of each sequence, without dropout, as of :func:`encode` in fewer products.

    What goes into the first layer depends on a piece and its place alone, so that each pair of these is mapped to a
    query, key and value once, in however many sequences it stands. The last layer has one query a sequence, which takes
    the keys' weights upon itself, as values take theirs after they are summed.

    Args:
        parameters, config: as of :func:`encode`.
        ids: (sequences, length) piece ids, all of segment 0.
        attention_mask: (sequences, length) bool, false at padding.
        at: (sequences,) the places.

    Returns:
        (sequences, hidden size).
    """
    length, heads = ids.shape[1], config.num_attention_heads
    distinct, which = torch.unique(ids * length + torch.arange(length, device=ids.device), return_inverse=True)
    pieces = (distinct // length)[None]
    once = embed(parameters, config, pieces, torch.zeros_like(pieces), False, places=distinct % length)
    *layers, last = layers_of(parameters, config)
    x = once[0, which]
    bias = unseen(attention_mask, x.dtype)
    for number, layer_parameters in enumerate(layers):
        if number:
            x = layer(x, bias, layer_parameters, config, training=False)
            continue
        mapped = by_head(once.to(layer_parameters.inward[0].dtype), *layer_parameters.inward, heads)
        query, key, value = (part[0].to(x.dtype).transpose(0, 1)[which].transpose(1, 2) for part in mapped)
        attended = attend(query, key, value, bias, 0.0).transpose(1, 2).reshape(x.shape)
        x = attended_to(x, attended, layer_parameters, config, training=False)
    return _last_at(x, bias, last, config, at)


def _last_at(x: Tensor, bias: Tensor, parameters: LayerParameters, config: PreTrainedConfig, at: Tensor) -> Tensor:
    """(sequences, hidden size): :func:`layer` of (sequences, length, hidden size) at one place of each."""
    sequences, _, hidden_size = x.shape
    heads = config.num_attention_heads
    (to_query, to_key, to_value), (query_offset, _, value_offset) = (
        part.view(3, heads, hidden_size // heads, *part.shape[1:]) for part in parameters.inward
    )
    own = x[torch.arange(sequences, device=x.device), at]
    query = torch.einsum("sd,hed->she", own.to(to_query.dtype), to_query) + query_offset
    # A key's offset adds the same to all scores of a query, which the softmax takes away.
    asked = torch.einsum("she,hed->shd", query, to_key).to(x.dtype)
    scores = torch.baddbmm(bias[:, 0], asked, x.transpose(1, 2), alpha=(hidden_size // heads) ** -0.5)
    summed = torch.bmm(scores.softmax(-1), x)
    value = torch.einsum("shd,hed->she", summed.to(to_value.dtype), to_value) + value_offset
    return attended_to(own, value.reshape(own.shape).to(x.dtype), parameters, config, training=False)
