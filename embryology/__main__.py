"""``python -m embryology`` is the ``embryology`` command."""

from embryology.cli import main

main()
