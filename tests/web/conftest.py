import pytest
from starlette.testclient import TestClient

import nextpixel as nx
from helpers.tiny_models import noise, sharper, tiny
from nextpixel.model_files.likelihood import Likelihood
from nextpixel.model_files.record import TrainingRecord
from nextpixel.web import teaching
from nextpixel.web.app import make_app
from nextpixel.web.served import Served


def a_model(**options):
    model = sharper(
        tiny("gated-pixelcnn", options.pop("shape", (1, 6, 5)), 8, default_condition=False, **options)
    ).eval()
    figures = Likelihood(3, 40.0, 1.0, 2.0, 0.05)
    model.record = TrainingRecord(quantiles=[10.0, 20.0, 60.0, 90.0], likelihood=figures)
    return model


@pytest.fixture(scope="session")
def models():
    return {
        "plain": a_model(),
        "colour": a_model(shape=(3, 4, 4)),
        "kinds": a_model(condition=nx.Labels(3, ("cat", "dog", "owl"))),
        "vectors": a_model(condition=nx.Vector(2)),
        "slow": a_model(shape=(1, 64, 64)),
        "row": sharper(tiny("row-lstm", (1, 4, 4), 8)).eval(),
        "local": sharper(
            tiny("local-pixelcnn", (3, 8, 8), 256, head="logistic-mixture", default_condition=False)
        ).eval(),
        "codes": tiny("autoencoder", (1, 4, 4), 8).eval(),
    }


@pytest.fixture(scope="session")
def served(models):
    return [Served(name, model) for name, model in models.items()]


@pytest.fixture(scope="session")
def album(models):
    """Two images, and the .npx file of them."""
    images = [image[0] for image in (noise(models["plain"], 1), noise(models["plain"], 1, seed=5))]
    return images, nx.compress(models["plain"], images, names=["a", "sub/b"])


@pytest.fixture
def client(served):
    return TestClient(make_app(served), raise_server_exceptions=True)


@pytest.fixture(scope="session", autouse=True)
def small_families():
    """The comparison of families, of few pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teaching, "SIDE", 4)
        patch.setattr(teaching, "LOOKS", 1)
        yield
