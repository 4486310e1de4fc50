"""The topic of a bundled article: a task for a machine without any other.

Each vital article has one of ten topics or so; the task is to tell it from the lead paragraph. Articles that are kept
out of pretraining are the development set, so that nothing of it was read before.
"""

from importlib import metadata

from embryology.corpus import articles
from embryology.specs.downstream import TASKS as LABELS
from embryology.specs.sources import Data, Source
from embryology.tasks import Example, Split, Task

NONE = "Uncategorized"
FEWEST = 20
"""Held-out articles that a topic needs to be one of the classes."""


def read() -> Task:
    """The task, with classes in alphabetical order.

    Raises:
        EmbryologyError: the bundled articles are not installed.
    """
    rows = [
        (article.id, article.text, topic, articles.is_held_out(article.title))
        for article, (_, _, topic) in zip(articles.bundled(), articles.descriptions(), strict=True)
        if topic != NONE and article.text.strip()
    ]
    held_out = [topic for _, _, topic, out in rows if out]
    classes = tuple(sorted(topic for topic in set(held_out) if held_out.count(topic) >= FEWEST))
    train, dev = (
        [
            Example(id, text, None, classes.index(topic))
            for id, text, topic, out in rows
            if out == side and topic in classes
        ]
        for side in (False, True)
    )
    return Task("topic", "topic of an article", classes, ("accuracy",), Split(train), {"dev": Split(dev)})


def _find(name: str, part: str) -> Data:
    package = articles.BUNDLED_PACKAGE
    file = articles.bundled_file()
    return Data(name, LABELS[name], (file,), lambda: {package: metadata.version(package)}, lambda _: read())


SOURCE = Source("task", "topic", _find)
