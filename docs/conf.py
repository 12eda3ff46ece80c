"""How Sphinx builds the documentation: `make docs`."""

import shutil
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

import nextpixel
from nextpixel.cli.app import COMMANDS, let_docstring_help

project = "nextpixel"
author = "The nextpixel authors"
copyright = "2026, the nextpixel authors"
release = nextpixel.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "cyclopts.ext.sphinx",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# Notebooks are kept without their outputs, and executed whenever the documentation is built.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True

# The docstrings write code in single backticks.
default_role = "code"
autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
# Options begin with two hyphens, which are not a dash; `dashes` makes one where Sphinx means it.
smartquotes = False
python_use_unqualified_type_names = True
napoleon_use_ivar = True
napoleon_use_rtype = False

for command in COMMANDS:
    let_docstring_help(command)

templates_path = ["templates"]
html_theme = "furo"
html_title = "nextpixel"


def copy_notebooks() -> None:
    """Bring the notebooks of the examples to where Sphinx looks for pages."""
    here = Path(__file__).parent
    shutil.rmtree(here / "notebooks", ignore_errors=True)
    (here / "notebooks").mkdir()
    for path in (here.parent / "examples").glob("*.ipynb"):
        shutil.copy(path, here / "notebooks")


copy_notebooks()


def dashes(_app: Sphinx, document: nodes.document) -> None:
    """Set a dash between the name of an argument and what is said of it."""
    for text in list(document.findall(nodes.Text)):
        if text.astext() == " -- ":
            text.parent.replace(text, nodes.Text(" – "))


def setup(app: Sphinx) -> None:
    """Add what is done to every page."""
    app.connect("doctree-read", dashes)
