"""Plug-ins of one file, in a process that is to know none of another test's."""

import sys

from embryology.runs import plugins
from embryology.specs import imports, registry


def forget():
    """As a process that begins: nothing was added, and a module of another test's folder is not loaded."""
    for module in ("sentence_length", "food", "again", "mine"):
        sys.modules.pop(module, None)
    registry.added.clear()
    plugins._of_runs.clear()
    for function in (registry.specifications, registry._installed_sources, imports._top_level, imports._imports_of):
        function.cache_clear()
