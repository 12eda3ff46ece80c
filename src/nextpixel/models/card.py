"""The model card: what a model is, what it was trained on, and how good it is, as Markdown for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nextpixel.nn.conditions import Labels, Specification, Vector, named

if TYPE_CHECKING:
    from nextpixel.models.base import ImageModel


def facts(model: ImageModel) -> list[tuple[str, str]]:
    """What is known of a model, as names and values; what its record lacks is left out."""
    channels, height, width = model.image_shape
    record = {name: str(value) for name, value in model.record.items()}
    known = [
        ("Images", f"{channels} x {height} x {width} (channels, height, width), {model.levels} levels"),
        (
            "Condition",
            "; ".join(f"{name}: {each.describe()}" for name, each in named(model.condition).items()),
        ),
        ("Options", ", ".join(f"{name} {value}" for name, value in model.options.items())),
        ("Parameters", f"{sum(parameter.numel() for parameter in model.parameters()):,}"),
        ("Data", record.get("data")),
        ("Binarisation", record.get("binarisation")),
        ("Command", f"`{record['command']}`" if "command" in record else None),
        ("Begun with", record.get("begun")),
        ("Trained", record.get("trained")),
        ("Validation", record.get("validation")),
        ("Library", record.get("library")),
    ]
    return [(name, value) for name, value in known if value]


def model_card(model: ImageModel) -> str:
    """The card as Markdown."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts(model))
    return f"""# {model.family}

An exact-likelihood autoregressive model of images, made with nextpixel.

| | |
|---|---|
{rows}

Nats are for a whole image and natural logarithms; bits/dim = nats / (channels x height x width x ln 2); both are means
over all images of the set named.

```python
import nextpixel as nx

model = nx.load("this folder")
images = model.sample(16{_argument(model.condition)})
```
"""


def _argument(specification: Specification | None) -> str:
    """The condition of the example, as a second argument."""
    if specification is None:
        return ""
    if isinstance(specification, Labels):
        return f", {specification.count - 1}"
    return f", [0.0] * {specification.size}" if isinstance(specification, Vector) else ", condition"
