import pytest
import torch

from nextpixel.nn.chosen_level import log_softmax_at
from nextpixel.nn.half import as_stored, widened
from nextpixel.nn.head_names import HEADS
from nextpixel.nn.heads import distribution


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_half_precision_is_widened_and_nothing_else_changes(dtype):
    maps = torch.randn(3, 4).to(dtype)
    assert widened(maps).dtype == (torch.float32 if maps.element_size() == 2 else dtype)
    assert as_stored(maps) is maps


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_a_compiled_network_differentiates_through_what_is_stored(dtype):
    logits, more, at = torch.randn(6, 9).to(dtype), torch.randn(9).to(dtype).requires_grad_(), torch.randint(9, (6,))

    def nats(bias):
        return log_softmax_at(logits + bias, at).sum()

    compiled = torch.compile(nats, backend="aot_eager", fullgraph=True)
    results = [function(more) for function in (nats, compiled)]
    gradients = [torch.autograd.grad(result, more)[0] for result in results]
    torch.testing.assert_close(results[1], results[0])
    torch.testing.assert_close(gradients[1], gradients[0])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", HEADS)
def test_no_colour_of_a_compiled_head_is_taken_unrounded(name, channels):
    head = distribution(name, 5, channels, 2)
    parameters = torch.randn(2, head.parameters, channels, 4, 4).bfloat16()
    images = torch.randint(5, (2, channels, 4, 4))
    read = []

    def compiler(graph, _):
        """Note what becomes wider without being stored."""
        wider = [node for node in graph.graph.nodes if node.target in ("float", torch.ops.aten._to_copy.default)]
        read.extend(node.args[0].target for node in wider)
        return graph

    inputs = images / 2 - 1

    def nats(parameters):
        return head.log_prob(head.coupled_map(parameters, inputs), images)

    torch.compile(nats, backend=compiler, fullgraph=True)(parameters)
    assert read and all("stored" in str(target) for target in read)
