"""The model card: what a model is, what it was trained on, and how good it is, as Markdown for people."""

from __future__ import annotations

from collections.abc import Collection

from nextpixel.model_files.format import WritableModel
from nextpixel.model_files.record import TrainingRecord
from nextpixel.nn.conditions import Labels, Specification, Vector, named
from nextpixel.runtime.quoting import printable, printable_lines

SAMPLES, CURVE = "samples.png", "curve.png"


def facts(model: WritableModel) -> list[tuple[str, str]]:
    """What is known of a model, as names and values; what its record lacks is left out."""
    channels, height, width = model.image_shape
    record = model.record
    known = [
        ("Images", f"{channels} x {height} x {width} (channels, height, width), {model.levels} levels"),
        (
            "Condition",
            "; ".join(f"{name}: {kind.describe()}" for name, kind in named(model.condition).items()),
        ),
        ("Options", ", ".join(f"{name} {value}" for name, value in model.options.items())),
        ("Parameters", f"{sum(parameter.numel() for parameter in model.parameters()):,}"),
        ("Stored in", record.storage),
        ("Data", record.data),
        ("Protocol", record.protocol),
        ("Binarisation", None if record.protocol else record.binarisation),
        ("Recipe", record.recipe),
        ("Command", f"`{record.command}`" if record.command else None),
        ("Begun with", record.begun),
        ("Settings", _settings(record)),
        ("Trained", _trained(record)),
        ("Hardware", record.hardware),
        ("Validation", record.validation),
        ("Evaluated by", f"`{record.evaluated_by}`" if record.evaluated_by else None),
        ("Causality", record.causality),
        ("Library", record.library),
    ]
    return [(name, printable(" ".join(value.split()))) for name, value in known if value]


def _trained(record: TrainingRecord) -> str | None:
    """How long a model was trained, and when it was best."""
    known = [record.trained] if record.trained else []
    if record.validations:
        best = min(record.validations, key=lambda validation: validation.nats)
        known.append(f"best by validation at step {best.step:,}")
    return "; ".join(known) or None


def _settings(record: TrainingRecord) -> str | None:
    """How an exported model was trained, by option."""
    if record.settings is None:
        return None
    return ", ".join(f"{name} {value}" for name, value in record.settings.items() if value is not None)


def model_card(model: WritableModel, *, pictures: Collection[str] = ()) -> str:
    """The card as Markdown.

    Args:
        model: the model.
        pictures: which of the pictures `SAMPLES` and `CURVE` lie beside the card.
    """
    rows = "\n".join(f"| {name} | {_cell(value)} |" for name, value in facts(model))
    name = printable(model.record.name or "")
    return f"""# {name or model.family}

An exact-likelihood autoregressive model of images, made with nextpixel.

| | |
|---|---|
{rows}

Nats are for a whole image and natural logarithms; bits/dim = nats / (channels x height x width x ln 2); both are means
over all images of the set named.

```python
import nextpixel as nx

model = nx.load("{name or "this folder"}")
images = model.sample(16{_argument(model.condition)})
```
{_sections(model.record, pictures)}"""


def _cell(value: str) -> str:
    """Text for a cell of a table, which no bar ends."""
    return value.replace("|", "\\|")


def _sections(record: TrainingRecord, pictures: Collection[str]) -> str:
    """What an exported model's card says beyond the table, each part under its heading."""
    parts = {
        "Samples": f"{record.samples or ''}\n\n![Samples]({SAMPLES})".lstrip() if SAMPLES in pictures else None,
        "In the course of training": f"![Validation in the course of training]({CURVE})" if CURVE in pictures else None,
        "Limits": record.limits,
        "Intended use": record.intended_use,
    }
    return "".join(f"\n## {heading}\n\n{printable_lines(text)}\n" for heading, text in parts.items() if text)


def _argument(specification: Specification | None) -> str:
    """The condition of the example, as a second argument."""
    if specification is None:
        return ""
    if isinstance(specification, Labels):
        return f", {specification.count - 1}"
    return f", [0.0] * {specification.size}" if isinstance(specification, Vector) else ", condition"
