import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nextpixel as nx
from helpers.tiny_models import many, seeded
from nextpixel.errors import InputError, ModelError
from nextpixel.nn.conditions import checked_values, from_json, named, random_values, to_json

SEVERAL = {"kind": nx.Labels(3, ("cat", "dog", "owl")), "numbers": nx.Vector(4), "places": nx.Map(2, (3, 5))}
SINGLE = [*SEVERAL.values(), nx.Labels(7)]


@pytest.mark.parametrize("specification", [None, *SINGLE, SEVERAL])
def test_json_gives_the_specification_back(specification):
    assert from_json(json.loads(json.dumps(to_json(specification)))) == specification


@pytest.mark.parametrize(
    "description",
    [
        3,
        [],
        {},
        {"kind": "Banana"},
        {"kind": "Labels"},
        {"kind": "Labels", "count": 0},
        {"kind": "Vector", "size": 2, "more": 1},
        {"kind": "Map", "channels": 1, "size": 3},
        {"several": 3},
        {"several": {"a": {"kind": []}}},
    ],
)
def test_a_description_of_nothing_is_refused(description):
    with pytest.raises(ModelError):
        from_json(description)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nx.Labels(0),
        lambda: nx.Labels(2.0),
        lambda: nx.Labels(2, ("a",)),
        lambda: nx.Labels(2, ("a", "a")),
        lambda: nx.Vector(0),
        lambda: nx.Map(0, (2, 2)),
        lambda: nx.Map(1, (2,)),
        lambda: nx.Map(1, (0, 2)),
        lambda: nx.Map(1, 4),
    ],
)
def test_a_specification_out_of_range_is_refused(make):
    with pytest.raises(ModelError):
        make()


@pytest.mark.parametrize("specification", [*SINGLE, SEVERAL])
def test_random_values_fit(specification):
    values = random_values(specification, 5, seeded())
    assert values.keys() == named(specification).keys()
    checked = checked_values(specification, values, 5)
    assert all(torch.equal(checked[name], values[name]) for name in values)


@pytest.mark.parametrize(
    ("specification", "one"),
    [(SINGLE[0], 2), (SINGLE[1], torch.arange(4.0)), (SINGLE[2], torch.rand(2, 3, 5)), (SINGLE[1], [1, 2, 3, 4])],
)
def test_one_value_serves_all_images(specification, one):
    (value,) = checked_values(specification, one, 6).values()
    (alike,) = checked_values(specification, torch.as_tensor(one)[None], 6).values()
    assert len(value) == 6 and torch.equal(value, alike)
    assert torch.equal(value, value[:1].expand_as(value))


@many
@given(label=st.integers(-3, 5), name=st.sampled_from(["cat", "dog", "owl", "0", "2", "3", "-1", "ox", ""]))
def test_labels_are_those_there_are(label, name):
    labels = nx.Labels(3, ("cat", "dog", "owl"))
    if 0 <= label < 3:
        assert labels.checked(np.int64(label)).tolist() == [label]
    else:
        with pytest.raises(InputError, match=f"no class {label}; the classes are 0 cat, 1 dog, 2 owl"):
            labels.checked(label)
    known = {"cat": 0, "dog": 1, "owl": 2, "0": 0, "2": 2}
    if name in known:
        assert labels.number(name) == known[name]
    else:
        with pytest.raises(InputError, match="the classes are 0 cat, 1 dog, 2 owl"):
            labels.number(name)


def test_a_class_may_be_called_by_another_ones_number():
    assert nx.Labels(3, ("2", "1", "0")).number("2") == 0


def test_many_classes_are_not_all_listed():
    with pytest.raises(InputError, match="19 c19 and 980 more"):
        nx.Labels(1000, tuple(f"c{number}" for number in range(1000))).number("x")


@pytest.mark.parametrize(
    ("specification", "values", "message"),
    [
        (None, 3, "without a condition"),
        (SINGLE[0], None, "needs a condition: a label for each image, one of the classes 0 cat, 1 dog, 2 owl"),
        (SINGLE[0], torch.tensor([0.0]), "labels must be integers"),
        (SINGLE[0], torch.tensor([True]), "labels must be integers"),
        (SINGLE[0], torch.tensor([[0]]), r"\[B\]"),
        (SINGLE[0], torch.tensor([0, 1]), "2 conditions 'labels' were given for 3 images"),
        (SINGLE[0], "cat", "labels must be numbers in a tensor, an array or a list, not str"),
        (SINGLE[1], torch.zeros(3, 5), r"\[B, 4\], not \[3, 5\]"),
        (SINGLE[1], torch.full((3, 4), float("nan")), "not finite"),
        (SINGLE[1], torch.zeros(3, 4, dtype=torch.complex64), "real numbers"),
        (SINGLE[2], torch.zeros(3, 2, 5, 3), r"\[B, 2, 3, 5\], not \[3, 2, 5, 3\]"),
        (SEVERAL, torch.zeros(3), "needs a dict of conditions"),
        (SEVERAL, {"kind": 0}, "needs a dict of conditions"),
        (SEVERAL, {"kind": 0, "numbers": torch.zeros(4), "places": torch.zeros(2, 3, 5), "x": 0}, "needs a dict"),
        (SINGLE[0], {"sort": 0}, "needs a dict"),
    ],
)
def test_values_that_do_not_fit_are_refused(specification, values, message):
    with pytest.raises(InputError, match=message):
        checked_values(specification, values, 3)
