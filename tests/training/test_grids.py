from helpers.training_runs import Notes, run
from nextpixel.training import grids


def test_a_grid_is_not_left_out_because_the_engine_is_compiled_meanwhile(tiny, shapes, tmp_path, monkeypatch):
    """The clock by which it is found too slow is the one that stands still then."""
    for name in ("MOST_SECONDS", "MOST_PART", "PATIENCE"):
        monkeypatch.setattr(grids, name, 0.0)
    monkeypatch.setattr(grids, "working_time", lambda: 7.0)
    heard = Notes()
    run(tiny(), shapes, tmp_path / "run", progress=heard)
    assert not [note for note in heard.notes if "no sample grid" in note]
    assert len(list((tmp_path / "run" / "samples").iterdir())) == 2
