"""How Sphinx builds the documentation: `make docs`."""

import nextpixel

project = "nextpixel"
author = "The nextpixel authors"
copyright = "2026, the nextpixel authors"
release = nextpixel.__version__
extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "nextpixel"
