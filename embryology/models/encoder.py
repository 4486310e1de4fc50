"""A loaded checkpoint for measuring: batches by length, logits only where they are asked for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pickle import UnpicklingError
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForTextEncoding,
    PreTrainedModel,
)
from transformers.activations import NewGELUActivation
from transformers.utils import logging

from embryology.errors import EmbryologyError
from embryology.models import forward, processor
from embryology.models.precision import resolve
from embryology.runs import manifest
from embryology.runs.checkpoints import CONFIG, PICKLED, Checkpoint, refuse_foreign_code
from embryology.specs import ATTENTIONS, BOTH_DIRECTIONS, HIDDEN_STATES, MASKED_HEAD, Precision
from embryology.storage.files import read_json

TOKENS_PER_BATCH, ON_AN_ACCELERATOR = 2048, 2**15
"""Padded ids a batch: what fits the cache of a processor, and what keeps an accelerator busy."""
# Logits of a chunk of positions: 64 MB in float32, whatever the vocabulary.
LOGITS_PER_CHUNK = 2**24


class Predictions(NamedTuple):
    """What a masked head says at positions, one entry a position in the order they were asked for."""

    top: np.ndarray
    """(positions,) int64: the id with the largest logit, over the whole vocabulary."""
    log_probability: np.ndarray
    """(positions,) float32: of the target id, in nats."""


@dataclass
class Encoder:
    """One checkpoint in evaluation mode on one device. :meth:`load` makes it."""

    model: PreTrainedModel
    has: frozenset[str]
    """What a probe may need, of :data:`embryology.specs.NEEDS`; a masked head where it was trained."""
    device: str
    step: int | None = None
    """Of the checkpoint."""
    _reduced: nn.Module | None = None
    _parameters: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str = "auto", threads: int | None = None) -> "Encoder":
        """Verify a checkpoint's bytes and load it, silently.

        Args:
            checkpoint: a folder in the layout of ``save_pretrained``, of any architecture.
            device: a torch device name, or ``auto``: ``cuda`` where there is one, else ``cpu``.
            threads: of the processor; None leaves torch's own number.

        Raises:
            EmbryologyError: the weights were changed or cannot be loaded, or some are missing.
        """
        location, name = checkpoint.location, checkpoint.name
        refuse_foreign_code(name, read_json(location / CONFIG))
        checkpoint.verify()
        processor.prepare(threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        safely = {"local_files_only": True, "trust_remote_code": False}
        options = safely | {"output_loading_info": True, "dtype": torch.float32, "weights_only": True}
        try:
            with _quiet():
                try:
                    model, report = AutoModelForMaskedLM.from_pretrained(location, **options)
                    masked = True
                except ValueError:  # an architecture without a masked head
                    config = AutoConfig.from_pretrained(location, **safely)
                    loader = AutoModelForTextEncoding if config.is_encoder_decoder else AutoModel
                    model, report = loader.from_pretrained(location, **options)
                    masked = False
        except Exception as error:  # whatever transformers makes of damaged files
            reason = str(error).partition("\n")[0]
            if isinstance(error, UnpicklingError):  # torch's advice is to run what is in it
                reason = f"its {PICKLED} holds something else than weights, which is never run"
            raise EmbryologyError(f"{name} cannot be loaded: {reason}") from error
        # A checkpoint of another kind (a discriminator) loads too, with a head of random parameters.
        missing = report["missing_keys"]
        body = f"{model.base_model_prefix}." if masked else ""
        lost = sorted(key for key in missing if key.startswith(body) and "pooler" not in key)
        if lost:
            raise EmbryologyError(f"{name} lacks the weights {', '.join(lost[:3])}; it is damaged")
        has = {HIDDEN_STATES, ATTENTIONS} | ({MASKED_HEAD} if masked and not missing else set())
        if masked or type(model.config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
            has.add(BOTH_DIRECTIONS)
        fused = _fused(model).to(device)  # type: ignore[arg-type]  # transformers wraps the method without its self
        return cls(fused.eval(), frozenset(has), device, checkpoint.step)

    def machine(self, precision: Precision) -> dict[str, Any]:
        """Where it computes: the columns :data:`embryology.runs.measurements.MACHINE`."""
        on_cuda = self.device.startswith("cuda")
        return {
            "device": torch.cuda.get_device_name(self.device) if on_cuda else manifest.processor(),
            "precision": resolve(precision, self.device),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        }

    @property
    def model_type(self) -> str:
        """The architecture, as in the configuration: albert, bert, electra …"""
        return self.model.config.model_type

    @property
    def vocabulary(self) -> int:
        """How many pieces it has vectors for."""
        return cast(nn.Embedding, self.model.get_input_embeddings()).num_embeddings

    @property
    def objective(self) -> str:
        """What it was trained for, as far as its heads tell: masked, replaced, or other."""
        if MASKED_HEAD in self.has:
            return "masked"
        return "replaced" if "ElectraForPreTraining" in (self.model.config.architectures or []) else "other"

    @torch.inference_mode()
    def predict(
        self,
        sequences: Sequence[Sequence[int]],
        positions: Sequence[Sequence[int]],
        targets: Sequence[Sequence[int]],
        precision: Precision = "float32",
        tokens_per_batch: int | None = None,
    ) -> Predictions:
        """Read the masked head at chosen positions.

        Args:
            sequences: input ids, special tokens included; of any lengths.
            positions: for every sequence the positions to read.
            targets: for every position the id whose probability is wanted.
            precision: of the body; the head always computes in float32, as bfloat16 logits tie.
            tokens_per_batch: padded ids a batch, None for the device's; results depend on it in rounding alone.

        Returns:
            One entry a position, sequence after sequence in the order given.
        """
        body, head = self._parts(resolve(precision, self.device))
        starts = _starts(positions)
        top = np.empty(starts[-1], dtype=np.int64)
        log_probability = np.empty(starts[-1], dtype=np.float32)
        # Sequences without positions have nothing to say.
        asked = np.flatnonzero(np.diff(starts))
        for batch, ids, mask in self.batches(asked, sequences, tokens_per_batch):
            hidden = body(input_ids=ids, attention_mask=mask)[0]
            rows = torch.tensor([row for row, i in enumerate(batch) for _ in positions[i]], device=self.device)
            columns = torch.tensor([place for i in batch for place in positions[i]], device=self.device)
            true = torch.tensor([target for i in batch for target in targets[i]], device=self.device)
            best, log_p = _read(head, hidden[rows, columns], true, self.model.config.vocab_size)
            entries = _entries(starts, batch)
            top[entries], log_probability[entries] = best.cpu().numpy(), log_p.cpu().numpy()
        return Predictions(top, log_probability)

    @torch.inference_mode()
    def vectors(
        self,
        sequences: Sequence[Sequence[int]],
        positions: Sequence[int],
        precision: Precision = "float32",
        tokens_per_batch: int | None = None,
    ) -> Tensor:
        """What :meth:`head` makes logits of, at one position of each sequence.

        Args:
            sequences: input ids, special tokens included; of any lengths.
            positions: one of each sequence.
            precision: of the body.
            tokens_per_batch: padded ids a batch, None for the device's; results depend on it in rounding alone.

        Returns:
            (sequences, :attr:`hidden_size`) float32 on the encoder's device.
        """
        precision = resolve(precision, self.device)
        fast = self._has_head and forward.computes(self.model.config)
        body, _ = self._parts("float32" if fast else precision)
        vectors = torch.empty(len(sequences), self.hidden_size, device=self.device)
        for batch, ids, mask in self.batches(np.arange(len(sequences)), sequences, tokens_per_batch):
            columns = torch.tensor([positions[i] for i in batch], device=self.device)
            if fast:  # the last layer at those places alone
                hidden = forward.read(self._cast(precision), self.model.config, ids, mask.bool(), columns)
            else:
                rows = torch.arange(len(batch), device=self.device)
                hidden = body(input_ids=ids, attention_mask=mask)[0][rows, columns]
            vectors[batch] = hidden.float()
        return vectors

    @property
    def hidden_size(self) -> int:
        """Of :meth:`vectors`; without a head they are logits, and it is the vocabulary's."""
        return self.model.config.hidden_size if self._has_head else self.model.config.vocab_size

    @torch.inference_mode()
    def head(self, vectors: Tensor) -> Tensor:
        """(vectors, vocabulary) logits in float32, as bfloat16 ones tie."""
        return self._parts("float32")[1](vectors)

    @torch.inference_mode()
    def hidden_states(
        self,
        sequences: Sequence[Sequence[int]],
        precision: Precision = "float32",
        tokens_per_batch: int | None = None,
    ) -> Tensor:
        """All layers' vectors of every input id, from one pass a sequence.

        Args:
            sequences: input ids, special tokens included; of any lengths.
            precision: of the model and of the result.
            tokens_per_batch: padded ids a batch, None for the device's; results depend on it in rounding alone.

        Returns:
            (layers + 1, ids, hidden size) on the processor, sequence after sequence in the order given. The first
            layer is what goes into the transformer: embeddings, which know no context.
        """
        precision = resolve(precision, self.device)
        body = self.body(precision)
        starts = _starts(sequences)
        states: Tensor | None = None
        for batch, ids, mask in self.batches(np.arange(len(sequences)), sequences, tokens_per_batch):
            layers = body(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
            if states is None:
                hidden_size = layers[-1].shape[-1]
                states = torch.empty(len(layers), int(starts[-1]), hidden_size, dtype=getattr(torch, precision))
            entries = _entries(starts, batch)
            for number, layer in enumerate(layers):
                states[number, entries] = layer[mask.bool()].cpu().to(states.dtype)
        assert states is not None  # there is at least one sequence
        return states

    @property
    def _has_head(self) -> bool:
        """Not of other architectures, where the whole model counts as body and its vectors are the logits."""
        return self._parts("float32")[0] is not self.model

    def body(self, precision: str) -> PreTrainedModel:
        """What gives all layers' vectors and attention, without a head."""
        body, _ = self._parts(precision)
        return cast(PreTrainedModel, getattr(body, str(body.base_model_prefix), body))

    def _parts(self, precision: str) -> tuple[nn.Module, nn.Module]:
        """A body that gives vectors, and a head from vectors to logits."""
        head = getattr(self.model, "predictions", None) or getattr(self.model, "cls", None)
        body = self.model.base_model if head else self.model
        if precision == "bfloat16":
            if self._reduced is None:
                # Cast once: autocast would convert ALBERT's shared weights anew at every layer.
                self._reduced = deepcopy(body).to(torch.bfloat16)
            body = self._reduced
        return body, head or nn.Identity()

    def _cast(self, precision: str) -> dict[str, Tensor]:
        """The model's parameters by name, cast once: those of products, as embeddings and norms stay in float32."""
        if precision not in self._parameters:
            dtype = getattr(torch, precision)
            self._parameters[precision] = {
                name: parameter if "embeddings." in name or "norm" in name.lower() else parameter.to(dtype)
                for name, parameter in self.model.named_parameters()
            }
        return self._parameters[precision]

    def batches(
        self, chosen: np.ndarray, sequences: Sequence[Sequence[int]], budget: int | None
    ) -> Iterator[tuple[list[int], Tensor, Tensor]]:
        """The ``chosen`` sequences in batches of like length: their numbers, padded ids, and what is no padding."""
        default = ON_AN_ACCELERATOR if self.device.startswith("cuda") else TOKENS_PER_BATCH
        for batch in _batches(chosen, sequences, budget or default):
            yield batch, *self._padded([sequences[i] for i in batch])

    def _padded(self, sequences: list[Sequence[int]]) -> tuple[Tensor, Tensor]:
        longest = max(map(len, sequences))
        padding = self.model.config.pad_token_id or 0
        ids = torch.tensor([[*ids, *[padding] * (longest - len(ids))] for ids in sequences], device=self.device)
        lengths = torch.tensor([len(ids) for ids in sequences], device=self.device)
        return ids, (torch.arange(longest, device=self.device) < lengths[:, None]).long()


def _read(head: nn.Module, vectors: Tensor, targets: Tensor, vocabulary: int) -> tuple[Tensor, Tensor]:
    best, log_probability = [], []
    rows = max(1, LOGITS_PER_CHUNK // vocabulary)
    for chunk, true in zip(vectors.split(rows), targets.split(rows), strict=True):
        logits = head(chunk.float())
        best.append(logits.argmax(dim=-1))
        log_probability.append(logits.gather(1, true[:, None])[:, 0] - logits.logsumexp(dim=-1))
    return torch.cat(best), torch.cat(log_probability)


def _starts(lists: Sequence[Sequence[int]]) -> np.ndarray:
    """(lists + 1,) int64: where each begins when they stand one after the other, and where the last ends."""
    return np.cumsum([0, *map(len, lists)], dtype=np.int64)


def _entries(starts: np.ndarray, batch: list[int]) -> np.ndarray:
    """Which entries the lists of a ``batch`` have when all stand one after the other."""
    return np.concatenate([np.arange(starts[i], starts[i + 1]) for i in batch])


def _batches(chosen: np.ndarray, sequences: Sequence[Sequence[int]], budget: int) -> Iterator[list[int]]:
    """Numbers of sequences in batches of like length, each at most ``budget`` padded ids (or one sequence)."""
    batch: list[int] = []
    for i in sorted(chosen.tolist(), key=lambda i: len(sequences[i])):
        if batch and (len(batch) + 1) * len(sequences[i]) > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _fused(model: PreTrainedModel) -> PreTrainedModel:
    """With ``gelu_new`` as one operation instead of eight, which is a third of ALBERT's time otherwise."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(module, name, nn.GELU(approximate="tanh"))
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bars and its report of heads that are not used, such as sentence order."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
