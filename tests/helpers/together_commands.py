"""Run commands, given as a JSON list of lists of words, one after another in this one of several processes."""

import json
import sys

from nextpixel.cli.app import run
from nextpixel.runtime.distributed import launched

with launched():
    for words in json.loads(sys.argv[1]):
        code = run(words)
        assert code == 0, (words, code)
