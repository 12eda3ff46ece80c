import numpy as np
import torch

from nextpixel.rendering.explained import COLOURS, Kind, dependence, kinds


def test_a_pixel_is_seen_if_one_of_its_colours_is():
    before = torch.zeros(3, 2, 2, dtype=torch.bool)
    before[:, 0] = True
    before[:2, 1, 0] = True
    seen = torch.zeros_like(before)
    seen[1, 0, 1] = True
    assert kinds(seen, before, 1, 0).tolist() == [[Kind.UNSEEN, Kind.SEEN], [Kind.ITSELF, Kind.LATER]]


def test_each_kind_has_its_colour():
    picture = np.asarray(dependence(torch.tensor([[0, 1], [2, 3]]), "title"))
    colours = {tuple(pixel) for pixel in picture.reshape(-1, 3)}
    assert {colour for colour, _ in COLOURS.values()} <= colours
