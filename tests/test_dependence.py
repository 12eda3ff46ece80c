import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import tiny
from nextpixel.dependence import dependence_of
from nextpixel.errors import InputError
from nextpixel.rendering.explained import Kind
from nextpixel.verify import SECOND_LOOKS, Site, observed_receptive_field, observed_receptive_fields


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return nx.build("pixelcnn", image_shape=(1, 9, 9), levels=2, features=4, layers=2)


def test_it_is_what_gradients_find_and_is_told_while_it_is_found(model):
    pictures = []
    result = dependence_of(model, Site(0, 5, 4), watch=pictures.append)
    seen = observed_receptive_field(model, Site(0, 5, 4))
    assert torch.equal(result.seen, seen) and len(pictures) == SECOND_LOOKS
    assert torch.equal(pictures[-1], result.kinds) and (pictures[0] == Kind.ITSELF).sum() == 1
    assert torch.equal(result.kinds == Kind.SEEN, seen[0])
    earlier = model.order[0] < model.order[0, 5, 4]
    assert torch.equal((result.kinds == Kind.SEEN) | (result.kinds == Kind.UNSEEN), earlier)


def test_sentences_count_what_is_seen(model):
    told = dependence_of(model, Site(0, 4, 4)).sentences
    assert "drawn as number 41 of 81" in told[0] and "of the 40 before it" in told[1]
    assert "out of the architecture's reach" in told[2] and len(told) == 3
    assert dependence_of(model, Site(0, 0, 0)).sentences[1].startswith("its distribution depends on 0 of the 0")


def test_what_is_not_as_promised_is_said(model, monkeypatch):
    everything = torch.ones(81, 81, dtype=torch.bool)
    monkeypatch.setattr(model, "receptive_field", lambda: everything)
    assert "run nextpixel check" in dependence_of(model, Site(0, 4, 4)).sentences[-1]


@pytest.mark.parametrize("site", [(1, 0, 0), (0, 9, 0), (0, 0, -1)])
def test_other_pixels_are_refused(model, site):
    with pytest.raises(InputError, match="9 rows and 9 columns"):
        dependence_of(model, Site(*site))


def test_all_pixels_at_once_see_what_each_one_sees():
    model = tiny("gated-pixelcnn", (3, 3, 3))
    table = observed_receptive_fields(model)
    for site in (Site(0, 0, 0), Site(1, 1, 2), Site(2, 2, 2)):
        place = (site.channel * 3 + site.row) * 3 + site.column
        assert torch.equal(table[place].view(3, 3, 3), observed_receptive_field(model, site))
