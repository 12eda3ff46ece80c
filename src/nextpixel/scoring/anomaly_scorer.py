"""`AnomalyScorer`: scores of images by the conventions of scikit-learn, for pipelines and comparisons."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from nextpixel.data import ImageSet
from nextpixel.data.pictures import Pictures
from nextpixel.errors import InputError
from nextpixel.families.base import ImageModel, check_model
from nextpixel.runtime.html import facts_table
from nextpixel.scoring.anomaly import DEFAULT_SCORE, Scorer, calibrated, score_batches
from nextpixel.scoring.images import Images, as_images

INLIER, OUTLIER = 1, -1


class AnomalyScorer:
    """Tell images that are not as the normal ones are, with a known rate of false alarms.

    Methods, arguments and signs are those of scikit-learn's outlier detectors: `score_samples` is higher for more
    normal images, `predict` gives 1 for normal and -1 for anomalous ones. It can be cloned, put into a pipeline and
    searched over, whether scikit-learn is installed or not.

    Args:
        model: of images; it is not changed.
        score: one of `nats`, `typicality`, `complexity` and `ratio`; see `nextpixel.score`.
        false_alarms: the rate of false alarms that `predict` keeps to, more than 0 and less than 1.
        background: a background model, for the ratio.

    Attributes:
        offset_: what `score_samples` has to reach for an image to be normal; after `fit`.
        n_features_in_: sub-pixels of an image; after `fit`.

    Example:
        >>> import nextpixel as nx
        >>> digits = nx.open_images("digits")
        >>> scorer = nx.AnomalyScorer(nx.load("nextpixel/digits-gated"), false_alarms=0.05).fit(digits[:200])
        >>> scorer.predict(16 - digits[200:203])
        array([-1, -1, -1])
    """

    _estimator_type = "outlier_detector"

    def __init__(
        self,
        model: ImageModel,
        *,
        score: str = DEFAULT_SCORE,
        false_alarms: float = 0.01,
        background: ImageModel | None = None,
    ) -> None:
        self.model = model
        self.score = score
        self.false_alarms = false_alarms
        self.background = background

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """The arguments of the constructor, by name; `deep` changes nothing, as models have no parameters here."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **parameters: object) -> Self:
        """Change arguments of the constructor.

        Raises:
            InputError: there is no such argument.
        """
        known = self.get_params()
        for name, value in parameters.items():
            if name not in known:
                raise InputError(f"an AnomalyScorer has no parameter {name!r}; it has {', '.join(known)}")
            setattr(self, name, value)
        return self

    def fit(self, images: Images, y: object = None) -> Self:  # noqa: ARG002
        """Learn from held-out normal images what is normal.

        Args:
            images: a set, or integers `[N, C, H, W]` or flattened `[N, C*H*W]`, which the model was not trained on.
            y: is not looked at; pipelines give it.

        Raises:
            InputError: the images do not fit the model, or are too few for the rate of false alarms.
        """
        for model in (self.model, *([] if self.background is None else [self.background])):
            check_model(model)
        scorer = calibrated(
            Scorer(self.model, self.background), self._images(images), by=self.score, false_alarms=self.false_alarms
        )
        if scorer.calibration is None:
            raise InputError("the normal images give no calibration; give some")
        self._scorer = scorer
        self.n_features_in_ = math.prod(self.model.image_shape)
        self.offset_ = -scorer.calibration.threshold(self.false_alarms)
        return self

    def score_samples(self, images: Images) -> NDArray[np.float64]:
        """How normal images are, `[N]`: the chosen score with its sign turned.

        Raises:
            InputError: it was not fitted, or the images do not fit the model.
        """
        return -self._columns(images, self.score)

    def decision_function(self, images: Images) -> NDArray[np.float64]:
        """`score_samples` less `offset_`, `[N]`: negative for anomalous images.

        Raises:
            InputError: see `score_samples`.
        """
        return self.score_samples(images) - self.offset_

    def predict(self, images: Images) -> NDArray[np.int64]:
        """1 for normal images and -1 for anomalous ones, `[N]`; at most `false_alarms` of the normal ones are -1.

        Raises:
            InputError: see `score_samples`.
        """
        return np.where(self.p_values(images) <= self.false_alarms, OUTLIER, INLIER).astype(np.int64)

    def p_values(self, images: Images) -> NDArray[np.float64]:
        """How probable a score as strange is among normal images, `[N]`; see `nextpixel.scoring.calibration`.

        Raises:
            InputError: see `score_samples`.
        """
        return self._columns(images, "p_value")

    def fit_predict(self, images: Images, y: object = None) -> NDArray[np.int64]:  # noqa: ARG002
        """Fit to images and tell the strangest of them.

        Raises:
            InputError: see `fit`.
        """
        return self.fit(images).predict(images)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_scorer")

    def __sklearn_tags__(self) -> object:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type="outlier_detector",
            target_tags=TargetTags(required=False),
            transformer_tags=None,
            classifier_tags=None,
            regressor_tags=None,
            input_tags=InputTags(two_d_array=True, three_d_array=False),
        )

    def __repr__(self) -> str:
        return f"<AnomalyScorer of {self.model.family} by {self.score}, {self.false_alarms:g} false alarms>"

    def _repr_html_(self) -> str:
        fitted = f"yes, normal from {self.offset_:.4g}" if self.__sklearn_is_fitted__() else "no"
        facts = [("Score", self.score), ("False alarms", f"{self.false_alarms:g}"), ("Fitted", fitted)]
        return facts_table(f"AnomalyScorer of {self.model.record.name or self.model.family}", facts)

    def _columns(self, images: Images, name: str) -> NDArray[np.float64]:
        if not self.__sklearn_is_fitted__():
            raise InputError("the AnomalyScorer is not fitted yet; call fit with held-out normal images first")
        parts: list[Mapping[str, NDArray[Any]]] = list(score_batches(self._scorer, self._images(images)))
        return np.concatenate([part[name] for part in parts]).astype(np.float64)

    def _images(self, images: Images) -> ImageSet | Pictures | torch.Tensor:
        """Images as the model takes them: flattened ones get their shape back."""
        images = as_images(images)
        shape = self.model.image_shape
        if isinstance(images, torch.Tensor) and images.ndim == 2 and images.shape[1] == math.prod(shape):
            images = images.reshape(len(images), *shape)
            if images.is_floating_point() and bool((images == images.round()).all()):
                # Tables of scikit-learn are of floats, whatever they hold.
                images = images.long()
        return images
