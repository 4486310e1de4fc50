"""Sparse latent typing: few pieces of a text get a type, from which the text is to be given back (Ren et al. 2022).

After "Language Model Pre-Training with Sparse Latent Typing" (arXiv 2210.12582) and its released code (SparseLT).

As there: types are told of the last layer's vectors of the text as it is, in a second pass beside the masked one; a
linear map without offset gives logits, that of "no type" is 0; a soft draw by Gumbel-softmax (Jang et al. 2017) mixes
type vectors, that of "no type" being zero, and each vector is multiplied by its mixture, element by element. A decoder
of one layer, which reads earlier pieces by the encoder's embeddings and all typed vectors by attention, gives the text
back. Losses: its cross-entropy; minus the logarithm of the mean probability of "no type", so that few pieces have one;
and how unevenly types are used.

Simplified: the cross-entropy is counted at the places that are masked in the other pass, a random part of the pieces;
the temperature does not fall; unevenness is the divergence (KL) of the mean distribution from the uniform one, and not
one less the share of the perplexity that it could have, as in the code; the encoder starts from random parameters and
not from a trained BERT. Draws come from torch's generator, seeded by run and step as dropout is.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel

from embryology.models.forward import Parameters, pair
from embryology.presets import Typing
from embryology.pretraining.batches import Batch
from embryology.pretraining.cross_entropy import linear_cross_entropy
from embryology.pretraining.objectives import IGNORED


class LatentTypesConfig(PreTrainedConfig):
    """As ``typing`` the keys of :class:`embryology.presets.Typing`, and the encoder's sizes."""

    model_type = "latent-types"

    @classmethod
    def of(cls, settings: Typing, encoder: PreTrainedConfig) -> LatentTypesConfig:
        sizes = ("hidden_size", "embedding_size", "intermediate_size", "num_attention_heads", "hidden_dropout_prob")
        values: dict[str, Any] = {name: getattr(encoder, name, encoder.hidden_size) for name in sizes}
        return cls(**values | {"typing": settings.model_dump()})


class LatentTypes(PreTrainedModel):
    """What is trained beside the encoder, and no part of it: saved beside its checkpoints, and read by no probe."""

    config_class = LatentTypesConfig

    def __init__(self, config: Any):
        super().__init__(config)
        self.settings = Typing(**config.typing)
        size = config.hidden_size
        self.typer = nn.Linear(size, self.settings.types, bias=False)
        self.types = nn.Embedding(self.settings.types, size)
        self.decoder = nn.TransformerDecoderLayer(
            size,
            config.num_attention_heads,
            config.intermediate_size,
            config.hidden_dropout_prob,
            functional.gelu,
            batch_first=True,
        )
        self.narrowed = nn.Linear(size, config.embedding_size)

    def loss(
        self, parameters: Parameters, vectors: Tensor, inputs: Tensor, decoder: tuple[Tensor, Tensor], batch: Batch
    ) -> Tensor:
        """The weighted sum of its losses (nats), times the number of pieces.

        Args:
            parameters: its own by name, in any precision.
            vectors: (sequences, length, hidden size) of the text as it is.
            inputs: (sequences, length, hidden size): what goes into the encoder's first layer for it.
            decoder: what turns vectors of the embedding size into logits of pieces, as of the masked head.
            batch: where the text is asked for, and its padding.
        """
        seen = batch.attention_mask
        logits = self.logits(vectors, parameters["typer.weight"])
        drawn = functional.gumbel_softmax(logits, tau=self.settings.temperature)[..., 1:]
        typed = vectors * (drawn.to(vectors.dtype) @ parameters["types.weight"])
        own = {
            name.removeprefix("decoder."): value for name, value in parameters.items() if name.startswith("decoder.")
        }
        later = torch.ones(seen.shape[1], seen.shape[1], dtype=torch.bool, device=seen.device).triu(1)
        masks = {"tgt_mask": later, "memory_key_padding_mask": ~seen}
        decoded = functional_call(self.decoder, own, (inputs, typed.to(inputs.dtype)), masks).flatten(0, 1)
        # A piece is told from what stands before it. Places that are not used have no label, wherever they point.
        before = functional.linear(decoded[(batch.positions - 1).clamp(min=0)], *pair(parameters, "narrowed"))
        places, pieces = (batch.labels != IGNORED).sum().clamp(min=1), seen.sum()
        mean = (logits.softmax(-1) * seen[..., None]).sum((0, 1)) / pieces
        losses = {
            "reconstruction": linear_cross_entropy(before, *decoder, batch.labels) / places,
            "sparsity": -mean[0].log(),
            "diversity": math.log(len(mean)) - torch.special.entr(mean).sum(),
        }
        weighted = [value * getattr(self.settings, f"{name}_weight") for name, value in losses.items()]
        return torch.stack(weighted).sum() * pieces

    @staticmethod
    def logits(vectors: Tensor, typer: Tensor) -> Tensor:
        """(…, 1 + types) float32 of "no type" and of each type, of (…, hidden size) vectors."""
        return functional.pad(functional.linear(vectors.to(typer.dtype), typer).float(), (1, 0))
