"""The models that are born here, built by transformers, with logits only where they are wanted."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy
from transformers import AlbertConfig, AlbertForPreTraining

from embryology import presets
from embryology.pretraining.batches import Batch
from embryology.pretraining.objectives import IGNORED


@dataclass(frozen=True)
class Outputs:
    masked_logits: Tensor
    """(places, vocabulary) float32."""
    order_logits: Tensor
    """(sequences, 2) float32."""

    def masked_loss(self, batch: Batch) -> Tensor:
        """Mean cross-entropy of the true pieces, in nats."""
        return cross_entropy(self.masked_logits, batch.labels, ignore_index=IGNORED)

    def order_loss(self, batch: Batch) -> Tensor:
        """Mean cross-entropy of the order of segments, in nats; 0 where no sequence has two segments."""
        counted = (batch.order_labels != IGNORED).sum().clamp(min=1)
        return cross_entropy(self.order_logits, batch.order_labels, ignore_index=IGNORED, reduction="sum") / counted


def build(settings: presets.Model, vocabulary: int, length: int, seed: int) -> AlbertForPreTraining:
    """An ALBERT from random parameters.

    Args:
        settings: its shape.
        vocabulary: number of pieces.
        length: longest sequence it can read.
        seed: of the parameters.
    """
    torch.manual_seed(seed)
    config = AlbertConfig(
        vocab_size=vocabulary,
        embedding_size=settings.embedding,
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.feed_forward,
        max_position_embeddings=length,
        initializer_range=settings.initializer_range,
        hidden_dropout_prob=settings.dropout,
        attention_probs_dropout_prob=settings.dropout,
        classifier_dropout_prob=settings.dropout,
        hidden_act="gelu_new",
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        attn_implementation="sdpa",
    )
    return AlbertForPreTraining(config)


class Trainee(nn.Module):
    """Wraps a model so that one forward pass gives logits at a batch's places alone.

    Logits at every position cost more than the rest of a small model.
    """

    def __init__(self, model: AlbertForPreTraining):
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Outputs:
        encoded = self.model.albert(
            input_ids=batch.input_ids, token_type_ids=batch.token_type_ids, attention_mask=batch.attention_mask
        )
        wanted = encoded.last_hidden_state.flatten(0, 1)[batch.positions]
        return Outputs(
            masked_logits=self.model.predictions(wanted).float(),
            order_logits=self.model.sop_classifier(encoded.pooler_output).float(),
        )

    def run(self, batch: Batch, precision: torch.dtype) -> Outputs:
        """Forward in ``precision``; gradients arrive at the float32 parameters.

        Parameters are cast once a call. Autocast would convert ALBERT's shared weights anew at every
        pass through the layer.
        """
        if precision == torch.float32:
            return self(batch)
        cast = {name: parameter.to(precision) for name, parameter in self.named_parameters()}
        return functional_call(self, cast, (batch,), tie_weights=True)
