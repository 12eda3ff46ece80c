"""`nextpixel check`."""

from __future__ import annotations

from pathlib import Path

from nextpixel.errors import NextpixelError

MOST_BY_DEFAULT, SOME = 1024, 256


class CheckFailed(NextpixelError):  # noqa: N818 - it reads as what happened
    """A model that leaks, is blind, or whose two computations differ: a fault of ours, so the exit code is 1."""

    exit_code = 1


def check(run: Path, *, outputs: int | None = None) -> None:
    """Prove by gradients that a trained model sees the past and nothing else.

    By gradients in float64, in training and evaluation mode, for every output and every input sub-pixel: exactly zero
    from the future, not zero from whatever the architecture promises to see. Then a few images are drawn step by step,
    and the probabilities of the draws compared with those of the parallel pass.

    Args:
        run: Run or model folder.
        outputs: Check this many output sub-pixels, the corners and others at random; by default all up to 1,024, and
            256 of larger images, whose gradients would take many minutes.
    """
    import math

    from nextpixel.cli.options import load_model
    from nextpixel.cli.output import progress, say
    from nextpixel.verify import check_causality, stepwise_difference

    model = load_model(run)
    total = math.prod(model.image_shape)
    if outputs is None and total > MOST_BY_DEFAULT:
        outputs = SOME
        longer = f"--outputs {total} looks at all, in about {total // SOME} times the time"
        say(f"looking at {SOME} of {total:,} outputs; {longer}")
    checked = min(total, outputs or total)
    with progress.task("causality", 2 * checked) as advance:
        report = check_causality(model, outputs=outputs, advance=advance)
    say(report)
    with progress.task("stepwise", 2 * total) as advance:
        difference = stepwise_difference(model, advance=advance)
    agree = difference < 1e-4
    say(f"stepwise {'equals' if agree else 'DIFFERS FROM'} parallel: largest difference {difference:.1e} nats")
    if report.leaks or report.mixes_images or not agree:
        raise CheckFailed(f"{run} fails the check above; its likelihoods are not to be trusted")
    if not report.ok:
        raise CheckFailed(f"{run} fails the check above: nothing leaks, but it does not depend on all that it should")
