import numpy as np
import pytest
import torch

import nextpixel as nx
from nextpixel.data.parts import places_held_out, places_of_split
from nextpixel.errors import DataError


def test_splits_stand_one_after_the_other():
    splits = {"train": 3, "valid": 0, "test": 2}
    places = [places_of_split(splits, name, "set").tolist() for name in splits]
    assert places == [[0, 1, 2], [], [3, 4]]
    with pytest.raises(DataError, match="no split 'eval': it has train, valid, test"):
        places_of_split(splits, "eval", "set")


@pytest.mark.parametrize(("count", "fraction", "held_out"), [(10, 0.2, 2), (10, 0.01, 1), (3, 0.5, 2), (100, 0.99, 99)])
def test_what_is_held_out_is_not_trained_on(count, fraction, held_out):
    training, valid = places_held_out(count, fraction, "set", "image")
    assert len(valid) == held_out and np.array_equal(np.sort(np.concatenate([training, valid])), np.arange(count))
    assert (np.diff(training) > 0).all() and (np.diff(valid) > 0).all()


@pytest.mark.parametrize("fraction", [-0.1, 0, 1, 2])
def test_every_kind_of_set_refuses_a_part_that_is_none(tmp_path, fraction):
    np.savez(tmp_path / "images.npz", images=torch.zeros(4, 3, 3, dtype=torch.uint8).numpy())
    for images in (nx.open_images(tmp_path / "images.npz"), nx.open_pictures(tmp_path / "images.npz")):
        with pytest.raises(DataError, match="between 0 and 1"):
            images.hold_out(fraction)
