import pytest
import torch

from nextpixel.scoring.sharpness import gradient_energy


def test_a_flat_image_has_none_and_a_chequered_one_all():
    flat, rows = torch.full((2, 1, 4, 4), 3), torch.arange(4)
    chequered = ((rows[:, None] + rows) % 2)[None, None] * 3
    assert gradient_energy(flat, 4) == 0
    assert gradient_energy(chequered, 4) == pytest.approx(1)
    assert gradient_energy(chequered.float() / 2, 4) == pytest.approx(0.25)


def test_every_pair_of_neighbours_counts_once():
    image = torch.zeros(1, 1, 3, 3, dtype=torch.uint8)
    image[0, 0, 1, 1] = 1
    assert gradient_energy(image, 2) == pytest.approx(4 / 12)
    assert gradient_energy(torch.zeros(1, 1, 1, 1), 2) == 0
