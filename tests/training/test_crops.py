import math

import numpy as np
import pytest
import torch
from PIL import Image

import nextpixel as nx
from helpers.training_runs import digest, interrupt_at
from nextpixel.cli.app import run as nextpixel
from nextpixel.runtime.progress import SILENT
from nextpixel.training.augmentation import add_noise, downscale, flip
from nextpixel.training.crops import Crops, pieces_of
from nextpixel.training.run_folder import read_metrics
from nextpixel.training.signals import Interrupted

SIZES = [(20, 31), (17, 12), (40, 9), (12, 12), (25, 25), (16, 50)]
ALL = ("flips", "downscale", "noise")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """RGB pictures of six sizes, each of a smooth surface of its own."""
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "pictures"
    place.mkdir()
    for number, (height, width) in enumerate(SIZES):
        rows, columns = np.mgrid[:height, :width]
        channels = [(rows * (3 + number) + columns * (2 + colour)) % 256 for colour in range(3)]
        Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8)).save(place / f"{number}.png")
    return place


@pytest.fixture
def pictures(folder):
    return nx.open_pictures(folder)


def test_a_crop_is_a_part_of_a_picture_that_counts_by_its_area(pictures):
    crops = Crops(pictures, (8, 8), 0, ())
    assert len(crops) == sum(-(-height * width // 64) for height, width in SIZES)
    batch = crops.batch(range(len(crops)), draw=3)
    assert batch.shape == (len(crops), 3, 8, 8)
    place = 0
    for number, (height, width) in enumerate(SIZES):
        views = np.lib.stride_tricks.sliding_window_view(pictures[number].numpy(), (8, 8), axis=(1, 2))
        for _ in range(-(-height * width // 64)):
            assert (views.transpose(1, 2, 0, 3, 4) == batch[place].numpy()).all(axis=(2, 3, 4)).any()
            place += 1


@pytest.mark.parametrize("augment", [(), ("flips",), ("downscale",), ("noise",), ALL])
def test_crops_are_a_function_of_seed_step_and_place(pictures, augment):
    crops, same = Crops(pictures, (8, 8), 0, augment), Crops(pictures, (8, 8), 0, augment)
    indices = np.arange(10)
    whole = crops.batch(indices, draw=5)
    assert torch.equal(same.batch(indices, draw=5), whole)
    parts = [same.batch(indices[:4], draw=5), same.batch(indices[4:], draw=5, place=4)]
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(crops.batch(indices, draw=6), whole)
    assert not torch.equal(Crops(pictures, (8, 8), 1, augment).batch(indices, draw=5), whole)
    assert not torch.equal(whole[0], crops.batch([0], draw=5, place=1)[0])


def test_pictures_smaller_than_a_crop_are_left_out(pictures):
    assert Crops(pictures, (13, 13), 0, ()).left_out == 3
    with pytest.raises(nx.TrainingError, match="smaller --crop"):
        Crops(pictures, (41, 41), 0, ())


def test_flips_mirror_half_of_the_crops():
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    drawn = [flip(np.random.default_rng(seed), pixels) for seed in range(400)]
    mirrored = sum(np.array_equal(each, pixels[:, :, ::-1]) for each in drawn)
    assert 160 < mirrored < 240
    assert all(np.array_equal(each, pixels) or np.array_equal(each, pixels[:, :, ::-1]) for each in drawn)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_downscaling_keeps_a_flat_surface_and_means(channels):
    flat = np.full((channels, 30, 20), 77, np.uint8)
    noise = np.random.default_rng(0).integers(100, 150, (channels, 40, 40)).astype(np.uint8)
    for seed in range(8):
        assert (downscale(np.random.default_rng(seed), flat, 12, 8) == 77).all()
        small = downscale(np.random.default_rng(seed), noise, 10, 10)
        assert small.shape == (channels, 10, 10) and abs(small.mean() - noise.mean()) < 3
        assert small.std() < noise.std()


def test_noise_grows_with_brightness_and_leaves_half_alone():
    dark, bright = np.full((1, 60, 60), 20, np.uint8), np.full((1, 60, 60), 220, np.uint8)
    spreads = np.array(
        [[add_noise(np.random.default_rng(seed), pixels).std() for pixels in (dark, bright)] for seed in range(200)]
    )
    assert 70 < (spreads == 0).all(axis=1).sum() < 130
    some = spreads[(spreads > 0).any(axis=1)]
    assert some[:, 1].mean() > 1.5 * some[:, 0].mean() and some.max() < 8


def settings(**changes):
    base = {"steps": 12, "batch_size": 6, "warmup": 2, "grids": 0, "validations": 2, "crop": (8, 8)}
    return nx.TrainingSettings(**base | changes)


def tiny():
    torch.manual_seed(0)
    return nx.build("gated-pixelcnn", image_shape=(3, 8, 8), levels=256, features=6, layers=1, dropout=0.1)


@pytest.mark.parametrize("augment", [None, ",".join(ALL)])
def test_training_on_crops_resumes_to_the_same_bits(pictures, tmp_path, monkeypatch, augment):
    chosen = settings(augment=augment)
    whole = nx.train(tiny(), pictures, tmp_path / "whole", pictures, chosen, progress=SILENT)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 5)
        with pytest.raises(Interrupted):
            nx.train(tiny(), pictures, tmp_path / "parts", pictures, chosen, progress=SILENT)
    assert nx.train(tiny(), pictures, tmp_path / "parts", pictures, chosen, resume=True, progress=SILENT) == whole
    assert digest(tmp_path / "whole" / "model.safetensors") == digest(tmp_path / "parts" / "model.safetensors")
    with pytest.raises(nx.TrainingError, match="augment"):
        other = settings(augment="noise")
        nx.train(tiny(), pictures, tmp_path / "whole", pictures, other, resume=True, progress=SILENT)
    assert "crops of 8x8" in nx.load(tmp_path / "whole").record.data


def test_a_model_of_one_size_is_validated_on_pieces(pictures, tmp_path):
    pieces = pieces_of(pictures, (8, 8))
    assert len(pieces) == sum((height // 8) * (width // 8) for height, width in SIZES)
    likelihood = nx.train(tiny(), pictures, tmp_path / "run", pictures, settings(), progress=SILENT)
    assert likelihood.images == len(pieces) and not likelihood.by_sub_pixel
    assert nx.evaluate(nx.load(tmp_path / "run"), pieces) == likelihood


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"crop": "8by8"}, "such as 64x64"),
        ({"crop": "0x8"}, "such as 64x64"),
        ({"augment": "flips,spin"}, "not 'spin'"),
        ({"crop": None, "augment": "flips,noise"}, "only flips change whole images; add crop"),
    ],
)
def test_settings_of_crops_that_cannot_work_are_refused(changes, told):
    with pytest.raises(nx.TrainingError, match=told):
        settings(**changes)


def test_pictures_without_crops_and_crops_without_pictures_are_refused(pictures, tmp_path):
    with pytest.raises(nx.TrainingError, match="crop="):
        nx.train(tiny(), pictures, tmp_path / "run", settings=settings(crop=None), progress=SILENT)
    images = torch.zeros(20, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(nx.TrainingError, match="open_pictures"):
        nx.train(tiny(), images, tmp_path / "run", settings=settings(), progress=SILENT)
    with pytest.raises(nx.TrainingError, match="alike"):
        nx.train(tiny(), pictures, tmp_path / "run", settings=settings(crop="9x9"), progress=SILENT)
    few = nx.open_pictures(tmp_path / "pictures", levels=16)
    with pytest.raises(nx.TrainingError, match="256 levels"):
        Crops(few, (8, 8), 0, ("noise",))


def local(size):
    torch.manual_seed(0)
    return nx.build("local-pixelcnn", image_shape=(3, *size), levels=256, features=6, layers=1)


def test_figures_of_a_batch_are_of_its_crops_and_not_of_the_size_of_the_model(pictures, tmp_path):
    for size in ((8, 8), (4, 6)):
        chosen = settings(crop="4x6", validations=1)
        nx.train(local(size), pictures, tmp_path / str(size[0]), pictures, chosen, progress=SILENT)
    larger, fitting = (list(read_metrics(tmp_path / name / "metrics.jsonl")) for name in ("8", "4"))
    trained = [line for line in larger if "train_nats" in line]
    for line, same in zip(trained, (line for line in fitting if "train_nats" in line), strict=True):
        assert line["train_bits_per_dim"] == pytest.approx(line["train_nats"] / (72 * math.log(2)))
        assert line["train_bits_per_dim"] == pytest.approx(same["train_bits_per_dim"])
        assert line["gradient_norm"] == pytest.approx(same["gradient_norm"], rel=1e-4)


def test_a_model_of_any_size_that_goes_on_draws_images_of_the_new_size(folder, tmp_path, capsys):
    local((8, 8)).save(tmp_path / "first")
    words = ["train", str(folder), "--crop", "5x4", "--start-from", str(tmp_path / "first"), "--out"]
    words += [str(tmp_path / "second"), "--steps", "2", "--batch-size", "4", "--grids", "0", "--learning-rate", "1e-12"]
    assert nextpixel([*words, "--ema", "0"]) == 0, capsys.readouterr().err
    first, second = nx.load(tmp_path / "first"), nx.load(tmp_path / "second")
    assert second.image_shape == (3, 5, 4) and second.sample(2).shape == (2, 3, 5, 4)
    for name, weight in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], weight, atol=1e-6, rtol=0)
    assert str(tmp_path / "first") in second.record.begun


def test_the_command_trains_on_crops(folder, tmp_path, capsys):
    words = ["--features", "6", "--layers", "1", "--steps", "4", "--batch-size", "4", "--grids", "0"]
    out = str(tmp_path / "run")
    assert nextpixel(["train", str(folder), "--crop", "8x8", "--augment", "flips,noise", "--out", out, *words]) == 0
    told = capsys.readouterr().err
    assert "crops of 8x8 with flips, noise" in told
    assert nx.load(out).image_shape == (3, 8, 8)
    assert nextpixel(["train", str(folder), "--crop", "8x8", "--resize", "9x9", "--out", out + "2", *words]) == 2
    assert "--resize" in capsys.readouterr().err
    # A model of one size takes none of the pictures, and says what to do.
    assert nextpixel(["evaluate", out, str(folder)]) == 2
