import pytest
import torch

from nextpixel.nn.chosen_level import log_softmax_at
from nextpixel.nn.half import as_stored, widened


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
