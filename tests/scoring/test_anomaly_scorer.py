import math

import numpy as np
import pytest
import torch
from sklearn.base import clone, is_outlier_detector
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted

import nextpixel as nx
from nextpixel.errors import InputError

SIDE = 4
LEVELS = 4


def model():
    torch.manual_seed(0)
    return nx.build("pixelcnn", image_shape=(1, SIDE, SIDE), levels=LEVELS, features=4, layers=1)


def images(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(LEVELS, (count, 1, SIDE, SIDE), generator=generator).to(torch.uint8)


@pytest.mark.parametrize("score", ["nats", "typicality", "complexity"])
def test_it_says_what_score_says(score):
    one, normal, new = model(), images(60), images(30, seed=1)
    scorer = nx.AnomalyScorer(one, score=score, false_alarms=0.1).fit(normal)
    table = nx.score(one, new, normal=normal, by=score, false_alarms=0.1)
    assert np.array_equal(scorer.score_samples(new), -table[score])
    assert np.array_equal(scorer.predict(new), np.where(table["anomalous"], -1, 1))
    assert np.array_equal(scorer.p_values(new), table["p_value"])
    assert np.array_equal(scorer.decision_function(new) < 0, table["anomalous"])


def test_normal_images_seldom_are_anomalous():
    scorer = nx.AnomalyScorer(model(), score="nats", false_alarms=0.1).fit(images(200))
    assert (scorer.predict(images(400, seed=1)) == -1).mean() <= 0.15
    assert (scorer.fit_predict(images(200)) == -1).mean() <= 0.1


def test_it_is_a_step_of_a_pipeline_of_flat_tables():
    one, normal, new = model(), images(60), images(10, seed=1)
    flat, as_table = (lambda batch: batch.flatten(1).double().numpy()), FunctionTransformer()
    pipeline = make_pipeline(as_table, nx.AnomalyScorer(one, score="nats", false_alarms=0.1)).fit(flat(normal))
    alone = nx.AnomalyScorer(one, score="nats", false_alarms=0.1).fit(normal)
    assert np.array_equal(pipeline.predict(flat(new)), alone.predict(new))
    assert alone.n_features_in_ == math.prod(one.image_shape)


def test_it_can_be_cloned_and_searched_over():
    scorer = nx.AnomalyScorer(model(), false_alarms=0.2)
    copy = clone(scorer)
    assert copy.get_params()["false_alarms"] == 0.2 and copy.model is not scorer.model
    assert copy.set_params(score="nats") is copy and copy.score == "nats"
    with pytest.raises(InputError, match="no parameter 'contamination'"):
        copy.set_params(contamination=0.1)
    assert is_outlier_detector(scorer)


def test_it_says_whether_it_is_fitted():
    scorer = nx.AnomalyScorer(model(), false_alarms=0.1)
    with pytest.raises(NotFittedError):
        check_is_fitted(scorer)
    with pytest.raises(InputError, match="call fit"):
        scorer.predict(images(2))
    assert "no" in scorer._repr_html_()
    check_is_fitted(scorer.fit(images(60)))
    assert "yes" in scorer._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "count", "sentence"),
    [
        ({"score": "beauty"}, 60, "no score 'beauty'"),
        ({"score": "ratio"}, 60, "background"),
        ({"score": "ratio", "background": "a folder"}, 60, "nextpixel.load"),
        ({"false_alarms": 0.0}, 60, "between 0 and 1"),
        ({"false_alarms": 0.001}, 60, "at least 999"),
    ],
)
def test_arguments_are_looked_at_when_it_is_fitted(arguments, count, sentence):
    with pytest.raises(InputError, match=sentence):
        nx.AnomalyScorer(model(), **arguments).fit(images(count))


# These checks of scikit-learn hold. The others feed tables of a few features, which are no images of the model, or want
# scikit-learn's own class of exception.
HOLD = {
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_non_transformer_estimators_n_iter",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
}


@pytest.mark.filterwarnings("ignore")
def test_the_checks_of_scikit_learn_that_can_hold_do():
    results = check_estimator(nx.AnomalyScorer(model(), false_alarms=0.1), on_fail=None, on_skip=None)
    assert {result["check_name"] for result in results if result["status"] == "passed"} >= HOLD
