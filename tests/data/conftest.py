import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Every test has a cache of its own and sees none of the machine's data."""
    folder = tmp_path / "own cache"
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(folder))
    monkeypatch.delenv("NEXTPIXEL_DATA", raising=False)
    return folder
