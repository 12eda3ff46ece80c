import sys

import nextpixel as nx
from helpers.training_runs import Notes
from nextpixel.training.tensorboard import Board

SHORT = nx.TrainingSettings(steps=1, batch_size=7, grids=0)


def test_a_folder_of_that_name_is_not_taken_for_tensorboard(tiny, shapes, tmp_path, monkeypatch):
    (tmp_path / "here" / "tensorboard").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "here")
    monkeypatch.delitem(sys.modules, "tensorboard", raising=False)
    nx.train(tiny(), nx.open_images(shapes), tmp_path / "run", settings=SHORT, progress=nx.Progress())


def test_a_tensorboard_that_cannot_be_imported_is_told_and_does_not_stop(tiny, shapes, tmp_path, monkeypatch):
    broken = tmp_path / "here" / "tensorboard" / "__init__.py"
    broken.parent.mkdir(parents=True)
    broken.write_text("raise ImportError('protobuf is too new')")
    monkeypatch.syspath_prepend(tmp_path / "here")
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    heard = Notes()
    nx.train(tiny(), nx.open_images(shapes), tmp_path / "run", settings=SHORT, progress=heard)
    (told,) = [note for note in heard.notes if "TensorBoard" in note]
    assert "protobuf is too new" in told and "metrics.jsonl" in told


def test_nothing_is_written_where_there_is_no_folder():
    board = Board(None, 0, print)
    board.log({"step": 1, "train_nats": 2.0})
    board.close()
