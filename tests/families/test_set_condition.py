import numpy as np
import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import noise, tiny
from nextpixel.errors import DataError, InputError
from nextpixel.families.set_condition import conditioned, specification_for


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Opens a set of images, given the class of each."""
    from PIL import Image

    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))

    def make(name, classes, **options):
        for index, kind in enumerate(classes):
            path = tmp_path / name / kind / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((3, 4), 60 * (index % 5), np.uint8)).save(path)
        return nx.open_images(tmp_path / name, levels=3, **options)

    return make


def test_labels_become_classes_with_their_names(folder):
    images = folder("set", ["cat", "dog", "cat", "owl"])
    specification = specification_for(images, ["labels"])
    assert specification == nx.Labels(3, ("cat", "dog", "owl"))
    assert conditioned(images, specification).condition.tolist() == images.labels.tolist()


def test_classes_are_matched_by_name(folder):
    specification = nx.Labels(4, ("ape", "owl", "dog", "cat"))
    images = conditioned(folder("other", ["dog", "owl", "dog"]), specification)
    assert [specification.names[label] for label in images.condition.tolist()] == ["dog", "dog", "owl"]
    with pytest.raises(InputError, match="class 'emu'; the model's classes are 0 ape, 1 owl"):
        conditioned(folder("third", ["dog", "emu"]), specification)


def test_labels_without_names_are_matched_by_number(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 3, 4), np.uint8), labels=[0, 5, 1, 1])
    images = nx.open_images(tmp_path / "a.npz")
    assert specification_for(images, ["labels"]) == nx.Labels(3, ("0", "1", "5"))
    assert conditioned(images, nx.Labels(6)).condition.tolist() == [0, 5, 1, 1]
    with pytest.raises(InputError, match=r"class '5'; the model's classes are 0\.\.4"):
        conditioned(images, nx.Labels(5))


@pytest.mark.parametrize("labels", [[1, 2, 3], [1990, 2005, 2024], [100123, 2000456, 7]])
def test_classes_are_the_labels_that_occur(labels):
    images = nx.open_images([(np.zeros((3, 4), np.uint8), label) for label in labels])
    specification = specification_for(images, ["labels"])
    assert specification == nx.Labels(3, tuple(map(str, sorted(labels))))
    assert conditioned(images, specification).condition.tolist() == [sorted(labels).index(label) for label in labels]
    with pytest.raises(InputError, match="class '4'"):
        conditioned(nx.open_images([(np.zeros((3, 4), np.uint8), 4)]), specification)


def test_numbers_are_names_where_names_are_numbers(folder):
    images = folder("set", [str(number) for number in range(12)])
    numbered = nx.open_images([(np.zeros((3, 4), np.uint8), number) for number in range(12)])
    specification = specification_for(images, ["labels"])
    places = conditioned(numbered, specification).condition.tolist()
    assert [specification.names[place] for place in places] == [str(number) for number in range(12)]
    values = conditioned(images, specification_for(numbered, ["labels"])).condition.tolist()
    assert values == [int(images.label_names[label]) for label in images.labels.tolist()]
    with pytest.raises(InputError, match="class '1'; the classes are 3, 5, 8"):
        nx.Labels(3, ("3", "5", "8")).number("1")
    assert nx.Labels(3, ("3", "5", "8")).number("8") == 2 and nx.Labels(2, ("cat", "dog")).number("1") == 1
    assert nx.Labels(2, ("caf\u00e9", "tea")).number("cafe\u0301") == 0


def test_labels_and_vectors_together(folder):
    images = folder("set", ["cat", "dog"], vectors=np.arange(6.0).reshape(2, 3))
    specification = specification_for(images, ["labels", "vectors"])
    assert specification == {"labels": nx.Labels(2, ("cat", "dog")), "vectors": nx.Vector(3)}
    given = conditioned(images, specification).condition
    assert given["labels"].tolist() == [0, 1] and given["vectors"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert specification_for(images, ["vectors"]) == nx.Vector(3)
    assert specification_for(images, []) is None


def test_what_a_set_lacks_is_said_with_the_remedy(folder):
    images = nx.open_images(np.zeros((3, 3, 4), np.uint8))
    with pytest.raises(InputError, match=r"no labels.*one folder a class"):
        specification_for(images, ["labels"])
    with pytest.raises(InputError, match=r"no labels.*its classes for each: 0 a, 1 b"):
        conditioned(images, nx.Labels(2, ("a", "b")))
    with pytest.raises(InputError, match=r"no vectors.*--vectors"):
        conditioned(images, nx.Vector(2))
    with pytest.raises(InputError, match="have 3 numbers, the model takes 2"):
        conditioned(folder("set", ["a", "b"], vectors=np.zeros((2, 3))), nx.Vector(2))
    with pytest.raises(InputError, match=r"no maps.*with_condition"):
        conditioned(images, nx.Map(1, (2, 2)))
    with pytest.raises(InputError, match="which condition is which"):
        conditioned(folder("set", ["a", "b"], vectors=np.zeros((2, 3))), {"a": nx.Vector(3), "b": nx.Vector(3)})
    with pytest.raises(InputError, match="not on 'colours'"):
        specification_for(images, ["colours"])


def test_conditions_follow_their_images(folder):
    images = folder("set", ["a"] * 5)
    given = images.with_condition({"x": torch.arange(5), "y": torch.arange(10).view(5, 2)})
    part = given.subset([3, -1, 0])
    assert part.condition["x"].tolist() == [3, 4, 0] and part.condition["y"].tolist() == [[6, 7], [8, 9], [0, 1]]
    assert part.condition_of([1])["x"].tolist() == [4]
    assert images.with_condition(torch.arange(5)).subset(slice(1, 3)).condition.tolist() == [1, 2]
    assert images.condition_of([0]) is None
    assert len({each.fingerprint for each in (images, given, images.with_condition(torch.arange(5)))}) == 3
    assert torch.equal(images.with_condition(np.arange(5)).condition, torch.arange(5))
    assert images.with_condition([0, 1, 0, 1, 0]).fingerprint
    assert not images.with_condition(torch.ones(5, 2, requires_grad=True)).condition.requires_grad
    for wrong in (3, torch.tensor(3), "abcde", {"x": "abcde"}):
        with pytest.raises(DataError):
            images.with_condition(wrong)
    with pytest.raises(DataError, match="4 conditions 'x' were given for 5 images"):
        images.with_condition({"x": torch.arange(4)})


def test_a_conditional_model_is_scored_with_the_labels_of_the_set(family, folder):
    if family == "autoencoder":
        pytest.skip("images are their own condition")
    images = folder("set", ["a", "b", "a", "b", "b"])
    model = tiny(family, (1, 3, 4), 3, condition=nx.Labels(2, ("a", "b")), default_condition=False).eval()
    with torch.no_grad():
        expected = -model.log_prob(images[:], images.labels).double().mean()
    assert nx.evaluate(model, images).nats == pytest.approx(float(expected), abs=1e-5)
    assert nx.evaluate(model, images[:], images.labels).nats == pytest.approx(float(expected), abs=1e-5)
    swapped = nx.evaluate(model, images, 1 - images.labels).nats
    assert swapped != pytest.approx(float(expected), abs=1e-5)
    with pytest.raises(InputError, match="has no labels"):
        nx.evaluate(model, nx.open_images(np.zeros((2, 3, 4), np.uint8), levels=3))
    unconditional = tiny(family, (1, 3, 4), 3)
    with pytest.raises(InputError, match="without a condition"):
        nx.evaluate(unconditional, images.with_condition(images.labels))
    assert nx.evaluate(unconditional, images).images == len(noise(model, 5))
