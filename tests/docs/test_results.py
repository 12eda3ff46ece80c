"""docs/results/results.md is what its script makes of the records, and keeps apart what must be."""

import pytest


def test_the_page_is_what_the_script_makes(script, check_page):
    check_page(script.PAGE)


def sections(page):
    return {part.partition("\n")[0]: part for part in page.split("\n## ")}


def test_no_table_mixes_fixed_and_dynamic_binarisation(script):
    found = sections(script.page())
    assert "81.30" in found["MNIST, fixed binarisation"] and "81.45" not in found["MNIST, fixed binarisation"]
    assert "81.45" in found["MNIST, dynamic binarisation"] and "81.30" not in found["MNIST, dynamic binarisation"]


def test_what_is_recalled_is_never_printed_as_checked(script):
    lines = [line for line in script.page().splitlines() if "80.54" in line or "80.75" in line]
    assert len(lines) == 2
    for line in lines:
        assert "not checked" in line and "witness" not in line


def config(data, levels, binarize=None, family="gated-pixelcnn", condition=None):
    return {
        "model": {"family": family, "levels": levels, "condition": condition, "options": {"features": 8}},
        "record": {
            "data": f"{data}, 3 images (abc)",
            "images": {"binarize": binarize},
            "protocol": "as said",
            "hardware": "an abacus",
            "parameters": 7,
            "validation": "x",
            "likelihood": {
                "images": 3,
                "nats": 70.123,
                "nats_standard_error": 0.456,
                "bits_per_dim": 1.2345,
                "bits_per_dim_standard_error": 0.01,
            },
        },
    }


HOMES = [
    (config("mnist-binarized-train.npz", 2), "MNIST, fixed binarisation"),
    (config("mnist-train.npz", 2, "dynamic"), "MNIST, dynamic binarisation"),
    (config("mnist-train.npz", 2, "threshold"), "MNIST, two levels, binarised at one half"),
    (config("mnist", 256), "MNIST, 256 levels"),
    (config("mnist-train.npz", 2, "stochastic"), "Not comparable"),
    (config("cifar10-first4000-train.npz", 256), "CIFAR-10"),
    (config("fashion-mnist-train.npz", 256), "Fashion-MNIST, 256 levels"),
    (config("digits", 17), "scikit-learn's digits"),
    (config("mine", 17), "Not comparable"),
    (config("mnist", 256, family="autoencoder", condition={}), "Not comparable"),
]


def test_what_a_training_began_with_counts(script):
    begun = config("mnist", 256)
    begun["record"] |= {"trained": "3 steps", "begun": "first, 50 steps"}
    assert "; 3 steps, begun with first, 50 steps; an abacus |" in script.ours_row("nextpixel/it", begun, "nats")


@pytest.mark.parametrize(("shipped", "section"), HOMES)
def test_a_model_stands_with_the_figures_of_its_protocol(script, monkeypatch, shipped, section):
    monkeypatch.setattr(script, "shipped", lambda: ["nextpixel/it"])
    monkeypatch.setattr(script, "read_config", lambda _name: shipped)
    found = [name for name, text in sections(script.page()).items() if "`nextpixel/it`" in text]
    assert found == [section]
    text = sections(script.page())[section]
    assert "70.12 ± 0.46" in text or "1.234 ± 0.010" in text or "1.235 ± 0.010" in text
