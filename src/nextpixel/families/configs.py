"""The options of each family: one frozen dataclass a family, from which all else that speaks of options is derived.

Constructors take the options of a config and check them here, once. The command line, the description of a model in
its `config.json`, `nextpixel models` and the documentation read the same fields. Importing this does not import
PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache, partial
from types import NoneType
from typing import ClassVar, NamedTuple, Self, TypeVar, get_args, get_type_hints

from nextpixel.errors import ModelError
from nextpixel.nn.head_names import COMPONENTS, HEADS, LOGISTIC_MIXTURE, MOST_COMPONENTS, SOFTMAX
from nextpixel.nn.local_window import FURTHEST
from nextpixel.nn.order_names import CURVES, MOST_ORDERS
from nextpixel.plan.stored_model import MOST_SCALES
from nextpixel.runtime.validation import (
    LONGEST_SIDE,
    MOST_FEATURES,
    MOST_LAYERS,
    MOST_SIDE,
    integer,
    odd_size,
    probability,
    real,
    switch,
)

RESERVED = {"image_shape", "levels", "condition", "self", "model", "family"}

PART = "part"
"""Marks a field of a config that is no option."""

OptionValue = int | float | bool | str | None
Value = TypeVar("Value", int, float, bool, str, int | None)

ORDER = (
    "code_size",
    "features",
    "layers",
    "kernel_size",
    "distance",
    "lag",
    "first_kernel_size",
    "head_features",
    "residual",
    "skips",
    "dropout",
    "level_features",
    "head",
    "components",
    "plain",
    "inner",
    "scales",
    "factor",
    "order",
)
"""In which order a description has the options, as files have had them from the beginning; any others follow."""


@dataclass(frozen=True)
class Rule:
    """What is known of an option beside its name and type.

    Attributes:
        default: its value where none is given.
        help: what it is, for people: one sentence, or a few.
        least: the smallest number that is allowed; None for any.
        most: the largest; None for any.
        choices: the texts that are allowed; None for any.
        check: gives the value, or raises `ModelError`; takes the option's name and what was given. It stands for the
            check of the type and the range.
        allowed: what `check` allows, for people.
        left_out: the value with which a description does not have the option, so that the fingerprints of models from
            before it stay.
    """

    default: OptionValue
    help: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] | None = None
    check: Callable[[str, object], OptionValue] | None = None
    allowed: str = ""
    left_out: OptionValue = None

    def checked(self, name: str, value: object, kind: type) -> OptionValue:
        """The value of an option as a plain Python one, if it is allowed."""
        if self.check is not None:
            return self.check(name, value)
        if kind is bool:
            return switch(name, value)
        if kind is int:
            return integer(name, value, int(self.least or 0), None if self.most is None else int(self.most))
        if kind is float:
            return self._real(name, value)
        if not isinstance(value, str) or (self.choices is not None and value not in self.choices):
            allowed = "a text" if self.choices is None else f"one of {', '.join(self.choices)}"
            raise ModelError(f"{name} must be {allowed}, not {value!r}")
        return value

    def _real(self, name: str, value: object) -> float:
        number = real(value)
        least = float("-inf") if self.least is None else self.least
        most = float("inf") if self.most is None else self.most
        if number is None or not least <= number <= most:
            raise ModelError(f"{name} must be {self._numbers()}, not {value!r}")
        return number

    def _numbers(self) -> str:
        """The real numbers that are allowed."""
        if self.least is None:
            return "a finite number" if self.most is None else f"a number of at most {self.most}"
        if self.most is None:
            return f"a number of at least {self.least}"
        return f"a number from {self.least} to {self.most}"


def option(
    default: Value,
    help: str,  # noqa: A002 - what it is called wherever options have one
    *,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] | None = None,
    check: Callable[[str, object], Value] | None = None,
    allowed: str = "",
    left_out: OptionValue = None,
) -> Value:
    """A field of a config; see `Rule`.

    Integers are at least 0 unless `least` says otherwise.
    """
    rule = Rule(default, help, least, most, choices, check, allowed, left_out)
    return field(default=default, metadata={"rule": rule})


class Option(NamedTuple):
    """An option of a family, as the command line and the documentation show it.

    Attributes:
        name: in Python; the flag of the command line has dashes.
        kind: `int`, `float`, `bool` or `str`.
        optional: whether None is allowed.
        rule: its default, what it means, and what is allowed.
    """

    name: str
    kind: type
    optional: bool
    rule: Rule

    @property
    def allowed(self) -> str:
        """The values that are allowed, for people."""
        rule = self.rule
        if rule.allowed or self.kind is bool:
            return rule.allowed or "True, False"
        if rule.choices is not None:
            return ", ".join(rule.choices)
        least = 0 if rule.least is None and self.kind is int else rule.least
        if least is not None and rule.most is not None:
            return f"{least} to {rule.most}"
        return f"{self.kind.__name__}" if least is None else f"from {least}"


def _head(name: str, value: object) -> str:
    if not isinstance(value, str) or value not in HEADS:
        raise ModelError(f"there is no {name} {value!r}; the heads are {', '.join(HEADS)}")
    return value


def _head_option(default: str, *, left_out: OptionValue = None) -> str:
    """The option of a family that chooses the distribution of a sub-pixel; see `option`."""
    return option(
        default,
        "Distribution of a sub-pixel: softmax, a free probability for each level, or logistic-mixture, which has far "
        "fewer parameters and suits photographs.",
        check=_head,
        allowed=", ".join(HEADS),
        left_out=left_out,
    )


def _features_option(default: int, help: str) -> int:  # noqa: A002 - see `option`
    """An option that says how many features there are of something; see `option`."""
    return option(default, help, least=1, most=MOST_FEATURES)


def _layers_option(default: int, help: str) -> int:  # noqa: A002 - see `option`
    """An option that says how many layers there are of something; see `option`."""
    return option(default, help, least=1, most=MOST_LAYERS)


def _odd_option(default: int, help: str, *, least: int = 3) -> int:  # noqa: A002 - see `option`
    """An option for the side of kernels that have a centre; see `option`."""
    return option(default, help, check=partial(odd_size, least=least), allowed=f"odd, {least} to {LONGEST_SIDE}")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The options of a family, checked.

    Attributes:
        family: name of the family.
        summary: one line that says what the family is.

    Raises:
        ModelError: a value is out of range.
    """

    family: ClassVar[str] = ""
    summary: ClassVar[str] = ""

    head: str = _head_option(SOFTMAX, left_out=SOFTMAX)
    components: int = option(COMPONENTS, "Logistic distributions in a mixture.", least=1, most=MOST_COMPONENTS)

    def __post_init__(self) -> None:
        for name, kind, optional, rule in self.options():
            value = getattr(self, name)
            if not (optional and value is None):
                # The one place where a config is written: numbers of NumPy become Python's.
                object.__setattr__(self, name, rule.checked(name, value, kind))

    @classmethod
    @cache
    def options(cls) -> tuple[Option, ...]:
        """The options, in the order of descriptions.

        Raises:
            ModelError: a field was not made by `option`, or is of another type or has a name that is taken.
        """
        hints = get_type_hints(cls)
        known = []
        for entry in fields(cls):
            if PART in entry.metadata:
                continue
            if entry.name in RESERVED:
                raise ModelError(
                    f"an option cannot be called {entry.name}, which every model has; rename it in {cls.__name__}"
                )
            kinds = get_args(hints[entry.name]) or (hints[entry.name],)
            kind = next((kind for kind in kinds if kind is not NoneType), NoneType)
            rule = entry.metadata.get("rule")
            if not isinstance(rule, Rule) or kind not in (int, float, bool, str):
                raise ModelError(
                    f"{cls.__name__}.{entry.name} is no option: write it as `{entry.name}: int = "
                    'nextpixel.option(3, "what it is")`, an int, float, bool or str'
                )
            known.append(Option(entry.name, kind, NoneType in kinds, rule))
        return tuple(sorted(known, key=lambda one: ORDER.index(one.name) if one.name in ORDER else len(ORDER)))

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Self:
        """The config of options by name.

        Raises:
            ModelError: an option is unknown or out of range.
        """
        known = [one.name for one in cls.options()]
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise ModelError(f"{cls.family} has no option {unknown[0]!r}; its options are {', '.join(known)}")
        make: Callable[..., Self] = cls
        return make(**options)

    def describe(self) -> dict[str, OptionValue]:
        """The options that make the same config again; JSON-compatible."""
        values = {one.name: (getattr(self, one.name), one.rule.left_out) for one in self.options()}
        if self.head != LOGISTIC_MIXTURE:
            del values["components"]
        return {name: value for name, (value, left_out) in values.items() if left_out is None or value != left_out}

    def fits(self, tensors: int, widest: int) -> bool:  # noqa: ARG002 - for families that know
        """Whether weights can be those of such a model; asked before one is built, so that no file asks for a huge one.

        Args:
            tensors: how many there are.
            widest: the longest of their axes.
        """
        return True

    @property
    def condition_features(self) -> int:
        """Maps of the networks that upsample conditions of the kind `Map`."""
        return 1


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(Config):
    """The options that every family of nextpixel has."""

    features: int = _features_option(64, "Feature maps of a layer.")
    layers: int = _layers_option(8, "Number of layers.")

    def fits(self, tensors: int, widest: int) -> bool:
        """See `Config`."""
        return self.layers <= tensors and self.features <= widest

    @property
    def condition_features(self) -> int:
        """As many as `features`."""
        return self.features


@dataclass(frozen=True, kw_only=True)
class HeadedConfig(NetworkConfig):
    """The options of networks that end with a head of two layers."""

    head_features: int | None = option(
        None,
        "Feature maps between the two convolutions of the head; by default as many as go into it.",
        least=1,
        most=MOST_FEATURES,
    )
    dropout: float = option(
        0.0, "Probability of zeroing a feature in training.", check=probability, allowed="from 0, below 1"
    )
    level_features: int = option(
        0,
        "Learned features of each level, which the model sees besides its number; 0 for none. Some 16 help much where "
        "single levels mean something: scans such as MNIST with 256 levels, codes.",
        most=MOST_FEATURES,
        left_out=0,
    )


@dataclass(frozen=True, kw_only=True)
class ConvolutionalConfig(HeadedConfig):
    """The options of networks that begin with a masked convolution and end with a head."""

    first_kernel_size: int = _odd_option(7, "Odd side of the first layer's kernels.")
    skips: bool = option(True, "Whether every layer feeds the head, instead of the last alone.")


@dataclass(frozen=True, kw_only=True)
class KernelConfig(ConvolutionalConfig):
    """The same with kernels in every layer."""

    kernel_size: int = _odd_option(3, "Odd side of the kernels.")


@dataclass(frozen=True, kw_only=True)
class ResidualConfig(ConvolutionalConfig):
    """The options of the models of arXiv 1601.06759."""

    features: int = _features_option(
        32,
        "Feature maps of a layer; between blocks there are twice as many. With one or two for each colour, all ReLUs "
        "of a colour can be off at once, and the model is then blind to it.",
    )
    layers: int = _layers_option(7, "Number of residual blocks.")
    residual: bool = option(True, "Whether the input of a block is added to its output.")
    skips: bool = option(False, "Whether every layer feeds the head, instead of the last alone.")


@dataclass(frozen=True, kw_only=True)
class GatedPixelCNNConfig(KernelConfig):
    """The options of the Gated PixelCNN."""

    family = "gated-pixelcnn"
    summary = "two stacks of gated convolutions, no blind spot (van den Oord et al. 2016, arXiv 1606.05328)"


@dataclass(frozen=True, kw_only=True)
class PixelCNNConfig(ResidualConfig, KernelConfig):
    """The options of the PixelCNN."""

    family = "pixelcnn"
    summary = "one stack of masked convolutions, fast, with its blind spot (van den Oord et al. 2016, arXiv 1601.06759)"


@dataclass(frozen=True, kw_only=True)
class RowLSTMConfig(ResidualConfig, KernelConfig):
    """The options of the Row LSTM."""

    family = "row-lstm"
    summary = "LSTMs from row to row, a triangle of the past (van den Oord et al. 2016, arXiv 1601.06759)"


@dataclass(frozen=True, kw_only=True)
class DiagonalBiLSTMConfig(ResidualConfig):
    """The options of the Diagonal BiLSTM."""

    family = "diagonal-bilstm"
    summary = "two LSTMs along the diagonals, the whole past in one layer (van den Oord et al. 2016, arXiv 1601.06759)"


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig(GatedPixelCNNConfig):
    """The options of the PixelCNN autoencoder: those of its decoder, and its own."""

    family = "autoencoder"
    summary = "an encoder to a few numbers and a Gated PixelCNN that decodes them (arXiv 1606.05328, section 2.4)"

    code_size: int = _features_option(32, "Numbers in the code of an autoencoder.")
    plain: bool = option(
        True, "Whether an autoencoder by squared error is trained beside the PixelCNN autoencoder, to compare."
    )


@dataclass(frozen=True, kw_only=True)
class LocalPixelCNNConfig(NetworkConfig):
    """The options of the local PixelCNN."""

    family = "local-pixelcnn"
    summary = "one masked convolution with a large window, for images of any size (arXiv 2109.02639, 2202.12120)"

    features: int = _features_option(96, "Numbers of a pixel that each layer makes.")
    layers: int = _layers_option(3, "Residual blocks of two 1x1 layers.")
    kernel_size: int = _odd_option(
        13,
        "Odd side of the window: how many rows above, and columns to either side, it has around the pixel.",
        least=5,
    )
    distance: int = option(
        8, "How far a local-pixelcnn sees, in rows and columns together.", least=2, most=2 * FURTHEST
    )
    lag: int = option(
        1,
        "Columns to the right that the window of a local-pixelcnn has for each row upwards.",
        least=1,
        most=FURTHEST,
    )
    head: str = _head_option(LOGISTIC_MIXTURE)


@dataclass(frozen=True, kw_only=True)
class PixelwiseConfig(HeadedConfig):
    """The options of networks of gated residual layers whose features belong to pixels, not to colours."""

    kernel_size: int = _odd_option(3, "Odd side of the kernels.")


@dataclass(frozen=True, kw_only=True)
class PixelCNNPlusPlusConfig(PixelwiseConfig):
    """The options of PixelCNN++."""

    family = "pixelcnn++"
    summary = "two streams, halved and doubled again, with shortcuts (Salimans et al. 2017, arXiv 1701.05517)"

    features: int = _features_option(32, "Feature maps of each stream.")
    layers: int = _layers_option(2, "Gated residual layers at each size, on the way down.")
    sizes: int = option(
        3, "How many sizes the maps of a pixelcnn++ have, each half of the one before.", least=1, most=8
    )
    head: str = _head_option(LOGISTIC_MIXTURE)
    components: int = option(10, "Logistic distributions in a mixture.", least=1, most=MOST_COMPONENTS)


@dataclass(frozen=True, kw_only=True)
class LocallyMaskedConfig(PixelwiseConfig):
    """The options of models of any order."""

    family = "locally-masked"
    summary = "any order of the pixels, to complete anything exactly (Jain et al. 2020, arXiv 2006.12486)"

    layers: int = _layers_option(6, "Gated residual layers, of two convolutions each.")
    first_kernel_size: int = _odd_option(7, "Odd side of the first layer's kernels.")
    dilation: int = option(2, "Pixels between the taps of every second layer of a locally-masked.", least=1, most=64)
    curve: str = option(
        "s-curve",
        "The order of the pixels of a locally-masked: raster, row by row; s-curve, every second row backwards; or "
        "hilbert.",
        choices=CURVES,
    )
    orders: int = option(
        8,
        "In how many orders a locally-masked is trained: the curve and its mirror images, one at each step.",
        least=1,
        most=MOST_ORDERS,
    )
    known_first: float = option(
        0.0,
        "The part of the steps in which a locally-masked is trained to complete: a random part of the image is first "
        "in the order.",
        least=0,
        most=1,
        left_out=0.0,
    )


@dataclass(frozen=True, kw_only=True)
class PixelSNAILConfig(PixelwiseConfig):
    """The options of PixelSNAIL."""

    family = "pixelsnail"
    summary = "gated convolutions and attention to all pixels before (Chen et al. 2017, arXiv 1712.09763)"

    layers: int = _layers_option(3, "Number of blocks, each of which ends with attention.")
    block_layers: int = _layers_option(3, "Gated residual layers of a block.")
    first_kernel_size: int = _odd_option(7, "Odd side of the first layer's kernels.")
    key_features: int = _features_option(16, "Numbers of a key of attention, for each head.")
    heads: int = option(1, "Attentions beside each other.", least=1, most=64)

    @property
    def value_features(self) -> int:
        """Numbers of a value, for each head: all heads together have half as many as there are features."""
        return -(-self.features // (2 * self.heads))


INNER: dict[str, type[NetworkConfig]] = {
    config.family: config
    for config in (
        DiagonalBiLSTMConfig,
        GatedPixelCNNConfig,
        PixelCNNConfig,
        PixelCNNPlusPlusConfig,
        PixelSNAILConfig,
        RowLSTMConfig,
    )
}
"""The families that can stand inside another one."""

SHARED = ("features", "layers", "head", "components")
"""The options that a family has in common with the models inside it."""


@dataclass(frozen=True, kw_only=True)
class CompositeConfig(NetworkConfig):
    """The options of families that are made of models of another one, and hand on to it what they do not know."""

    inner: str = option("gated-pixelcnn", "Family of the models inside.", choices=tuple(INNER))
    inner_config: NetworkConfig = field(default_factory=GatedPixelCNNConfig, metadata={PART: True})
    """The options of the models inside."""

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Self:
        """The config of options by name, its own and those of the models inside."""
        names = {one.name for one in cls.options()}
        config = super().of({name: value for name, value in options.items() if name in names})
        handed_on = {name: value for name, value in options.items() if name not in names}
        inner_config = INNER[config.inner].of({**{name: getattr(config, name) for name in SHARED}, **handed_on})
        return replace(config, inner_config=inner_config)

    def describe(self) -> dict[str, OptionValue]:
        """The options of the models inside, and then its own."""
        return self.inner_config.describe() | super().describe()


@dataclass(frozen=True, kw_only=True)
class MultiscaleConfig(CompositeConfig):
    """The options of multi-scale models."""

    family = "multiscale"
    summary = "a small image first, then larger ones given it (van den Oord et al. 2016, arXiv 1601.06759, section 3.6)"

    scales: int = option(2, "Number of sizes of a multiscale model.", least=2, most=MOST_SCALES)
    factor: int = option(
        2, "How many times smaller each size of a multiscale model is than the next.", least=2, most=MOST_SIDE
    )

    def fits(self, tensors: int, widest: int) -> bool:
        """See `Config`."""
        return super().fits(tensors // self.scales, widest)


@dataclass(frozen=True, kw_only=True)
class OrientedConfig(CompositeConfig):
    """The options of models that begin at another side."""

    family = "turned"
    summary = "a model that begins at another side of the image, to complete the rest exactly"

    order: str = option(
        "bottom",
        "The side at which the model begins an image: row by row from the top or the bottom, column by column from the "
        "left or the right.",
        choices=("top", "bottom", "left", "right"),
    )
