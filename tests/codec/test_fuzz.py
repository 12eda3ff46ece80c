"""A short form of `make fuzz`: mutants of golden files of each version are refused or decoded to their pixels, soon.

The golden files are the corpus: small, of every version, and with checksums that fit; `benchmarks/mutations.py` makes
the mutants, and tries very many of them in processes with limits of memory and time.
"""

import random
import time
import zlib

import pytest

from helpers.scripts import load_script
from nextpixel.codec.container import read

SECONDS = 2.0


@pytest.fixture(scope="module")
def mutations():
    return load_script("benchmarks/mutations.py")


def tried(mutations, names, count, *, fitting):
    files = mutations.golden_files(names)
    start = time.process_time()
    for number in range(count):
        golden, mutant = mutations.mutant_of(files, number, 5, fitting=fitting)
        outcome = mutations.decoded(golden, mutant, None)
        assert outcome in ("refused", "equal"), (golden.name, number)
        if fitting:
            assert zlib.crc32(mutant[:-4]).to_bytes(4, "little") == mutant[-4:]
    assert time.process_time() - start < SECONDS * count


def test_random_mutants(mutations):
    names = ["gated-grey", "local-grey", "multiscale-labels-3", "pixelcnn-labels-3", "local-rgb-4", "local-rgb-5"]
    tried(mutations, names, 200, fitting=False)


def test_mutants_whose_checksum_fits(mutations):
    tried(
        mutations,
        [
            "gated-labels",
            "local-grey",
            "gated-labels-3",
            "multiscale-rgb-3",
            "turned-labels-3",
            "local-grey-4",
            "local-rgb-5",
        ],
        21,
        fitting=True,
    )


def test_a_mutant_is_made_again_by_its_number(mutations):
    files = mutations.golden_files(["gated-labels"])
    for fitting in (False, True):
        assert (
            mutations.mutant_of(files, 7, 0, fitting=fitting)[1] == mutations.mutant_of(files, 7, 0, fitting=fitting)[1]
        )
    contents = read(files[0].data)
    assert mutations.rewritten(contents, random.Random(0)) != files[0].data
