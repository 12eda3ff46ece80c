"""The comparison of families, without a browser."""

import base64

import numpy as np
import pytest
from starlette.testclient import TestClient

from nextpixel.web.app import make_app
from nextpixel.web.teaching import FAMILIES, SIDE


@pytest.fixture(scope="module")
def tables(served):
    client = TestClient(make_app(served))
    side = client.get("/api/models").json()["families"][0]["side"]
    answers = {
        family.name: client.post("/api/families", json={"number": number}).json()
        for number, family in enumerate(FAMILIES)
    }
    return side, {
        name: (
            answer["order"],
            np.unpackbits(
                np.frombuffer(base64.b64decode(answer["sees"]), np.uint8).reshape(side**2, -1), axis=1, count=side**2
            ),
        )
        for name, answer in answers.items()
    }


def test_they_are_named_before_anything_is_computed(client):
    told = client.get("/api/models").json()["families"]
    assert [each["name"] for each in told] == [family.name for family in FAMILIES]
    assert all(each["told"].endswith(".") for each in told)


@pytest.mark.parametrize("family", [family.name for family in FAMILIES])
def test_no_pixel_sees_one_that_comes_later(tables, family):
    side, tables = tables
    order, sees = tables[family]
    assert sorted(order) == list(range(side**2))
    rank = np.argsort(order)
    assert not (sees.astype(bool) & (rank[None, :] >= rank[:, None])).any()


def test_only_some_families_see_all_that_came_before():
    """In the comparison as it is shown, the text beside each is true."""
    from nextpixel.families.build import build

    seen = {}
    for family in FAMILIES:
        model = build(family.name, image_shape=(1, SIDE, SIDE), levels=2, features=8, **family.options)
        chosen = int(SIDE * 0.6) * SIDE + int(SIDE * 0.4)
        past = (model.order < model.order.flatten()[chosen]).flatten()
        seen[family.name] = (model.receptive_field()[chosen] & past).sum() / past.sum()
    assert seen["gated-pixelcnn"] == seen["diagonal-bilstm"] == 1
    assert all(seen[name] < 1 for name in ("pixelcnn", "row-lstm", "local-pixelcnn"))


@pytest.mark.parametrize("number", [len(FAMILIES), -1, "0", None])
def test_there_is_no_other_family(client, number):
    answer = client.post("/api/families", json={"number": number})
    assert answer.status_code == 422 and "a whole number from 0 to 5" in answer.json()["error"]
