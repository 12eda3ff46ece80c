import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import noise, tiny
from nextpixel.codec.fixed_point import calibrate, fixed_point
from nextpixel.plan.lowering.families import LOWERINGS
from nextpixel.plan.printing import lines_of
from nextpixel.plan.schedule import Phase, phases


@pytest.mark.parametrize("family", sorted(LOWERINGS))
def test_every_operation_has_a_line_with_what_it_reads(family):
    model = tiny(family, (3, 4, 5), 4, condition=None).eval()
    program = fixed_point(model, calibrate(model, noise(model, 2)))
    lines = list(lines_of(program))[len(Phase) :]
    assert len(lines) == len(program.operations)
    for line, operation in zip(lines, program.operations, strict=True):
        assert operation.name in line and all(source in line for source in operation.sources)


def test_every_scale_has_lines_of_its_own():
    model = tiny("multiscale", (1, 5, 4), 4, factor=2, scales=3, condition=nx.Labels(3)).eval()
    labels = torch.zeros(2, dtype=torch.int64)
    program = fixed_point(model, calibrate(model, noise(model, 2), labels))
    text = "\n".join(lines_of(program))
    assert len(program.scales) == 3
    for scale, title in zip(program.scales, ("one of 4 rows", "one of 2 rows", "the whole image"), strict=True):
        begin = text.index(title)
        names = [] if scale.smaller is None else [layer.name for layer in scale.smaller.layers]
        for name in (*names, *(operation.name for operation in scale.operations)):
            begin = text.index(f" {name} ", begin)


def test_what_sees_whole_rows_comes_after_them_and_what_it_gives_before_the_next_ones():
    model = tiny("gated-pixelcnn", (3, 4, 5), 4).eval()
    when = phases(fixed_point(model, calibrate(model, noise(model, 2))))
    assert when["layers.0.vertical"] == when["layers.1.vertical.gated"] == Phase.LATE
    assert when["layers.0.above"] == Phase.ABOVE
    assert when["layers.0.horizontal"] == when["readout.output"] == Phase.STEP
    model = tiny("diagonal-bilstm", (3, 4, 5), 4).eval()
    when = phases(fixed_point(model, calibrate(model, noise(model, 2))))
    assert when["blocks.0.core.mirrored"] == Phase.LATE and when["blocks.0.core.forward"] == Phase.STEP
