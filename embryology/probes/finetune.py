"""How useful a checkpoint is: fine-tuned for GLUE's tasks, or for the topic of an article (section 5 of the paper).

A cell is one checkpoint × task × seed. Every checkpoint gets the same recipe and, of each task, the same examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embryology.models.alignment import longest_input
from embryology.models.precision import resolve
from embryology.probes import WHOLE, Probe
from embryology.runs.measurements import row
from embryology.runs.series import Series
from embryology.specs.downstream import COLLAPSED, FINETUNE_SPECIFICATION, MAJORITY, FinetuneSettings
from embryology.tasks import catalogue, prepared, scores, squad, windows
from embryology.tasks.hub import PREFIX
from embryology.tasks.prepared import Prepared

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embryology.models.encoder import Encoder
    from embryology.models.finetuning import Recipe

Examples = tuple[FinetuneSettings, dict[str, Prepared | windows.Prepared]]
"""The settings, and the tasks by name."""


class FinetuneProbe(Probe):
    specification = FINETUNE_SPECIFICATION

    def inputs(self, settings: FinetuneSettings, series: Series) -> dict[str, Any]:
        identities = {name: catalogue.identity(name) for name in prepared.chosen(settings.tasks, spans=True)}
        return {"tasks": identities, "precision": resolve(settings.precision)}

    def parts(self, settings: FinetuneSettings, series: Series) -> dict[str, dict[str, Any]]:
        """A cell a task and seed: what it depends on beside the checkpoint."""
        recipe = settings.model_dump(mode="json", exclude={"tasks", "seeds", "every"})
        recipe |= {"precision": resolve(settings.precision)}
        return {
            f"{name}-{seed}": recipe | {"task": name, "data": catalogue.identity(name), "number": seed}
            for name in prepared.chosen(settings.tasks, spans=True)
            for seed in range(settings.seeds)
        }

    def prepare(self, settings: FinetuneSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> Examples:
        longest = min(settings.max_length, longest_input(tokenizer, series.checkpoints[0].location))
        arguments = settings.train, settings.seed, tokenizer, longest
        return settings, {
            name: windows.read(*arguments, hub=name.startswith(PREFIX))
            if name.removeprefix(PREFIX) == squad.NAME
            else prepared.read(name, *arguments)
            for name in prepared.chosen(settings.tasks, spans=True)
        }

    def texts(self, settings: FinetuneSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> pd.DataFrame:
        return prepared.texts(prepared.chosen(settings.tasks, spans=True))

    def measure(
        self, encoder: Encoder, examples: Examples, part: str = WHOLE
    ) -> tuple[list[dict[str, Any]], pd.DataFrame]:
        """The task's metrics on its whole development set, and their mean, ``score``, each with a bootstrap over items.

        ``collapsed`` is 1 where all predictions are one class, one score, or no answer. Of several development sets
        ``group`` names each, and the mean over them has none. Baselines (of the first seed alone): the most frequent
        class, and a linear model on tf-idf; of SQuAD, to answer nothing.
        """
        from embryology.models import finetuning

        settings, tasks = examples
        name, _, seed = part.rpartition("-")
        data = tasks[name]
        recipe = finetuning.Recipe(
            learning_rate=settings.learning_rate,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            precision=settings.precision,
            seed=settings.seed + int(seed),
        )
        if isinstance(data, windows.Prepared):
            rows, items = _answers(encoder, data, recipe, int(seed) == 0)
        else:
            rows, items = _labels(encoder, data, recipe, int(seed) == 0)
        return [each | {"seed": int(seed)} for each in rows], items.assign(seed=int(seed), source=data.label)


def _labels(
    encoder: Encoder, data: Prepared, recipe: Recipe, baselines: bool
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    from embryology.models import finetuning

    model = finetuning.train(encoder, data.train, data.labels, max(1, len(data.task.classes)), recipe)
    rows, items = [], []
    for dev, (inputs, dev_examples) in data.dev.items():
        predicted = finetuning.outputs_of(model, inputs)
        predicted = predicted.argmax(axis=1) if data.task.classes else predicted[:, 0]
        gold = np.array([example.label for example in dev_examples])
        group = dev if len(data.dev) > 1 else ""
        rows += scores.rows(data.task, group, gold, predicted)
        rows.append(row(data.task.name, group, COLLAPSED, np.ptp(predicted) == 0, n=len(dev_examples)))
        items.append(
            pd.DataFrame(
                {
                    "item_id": [f"{data.task.name}:{dev}:{example.id}" for example in dev_examples],
                    "task": data.task.name,
                    "prediction": predicted.astype(float),
                    "correct": predicted == gold,
                }
            )
        )
    if len(data.dev) > 1:
        rows += scores.over_sets(rows)
    return rows + (data.baselines if baselines else []), pd.concat(items, ignore_index=True)


def _answers(
    encoder: Encoder, data: windows.Prepared, recipe: Recipe, baselines: bool
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    from embryology.models import finetuning

    model = finetuning.train(encoder, data.train.inputs, data.train.labels, 2, recipe)
    predicted = windows.answers(data.dev, data.questions, finetuning.scores_of_places(model, data.dev.inputs))
    right = squad.by_question(data.questions, predicted)
    rows = scores.means(squad.NAME, squad.METRICS, right)
    rows.append(row(squad.NAME, "", COLLAPSED, not any(predicted.values()), n=len(right)))
    if baselines:
        nothing = squad.by_question(data.questions, {})
        rows += scores.means(squad.NAME, squad.METRICS, nothing, MAJORITY)
    items = pd.DataFrame(
        {
            "item_id": [f"{squad.NAME}:dev:{question.id}" for question in data.questions],
            "task": squad.NAME,
            "prediction": right[:, 1],
            "correct": right[:, 0] == 1,
        }
    )
    return rows, items
