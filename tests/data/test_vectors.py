import numpy as np
import pytest

from helpers.image_makers import encode, noise, pngs, put
from nextpixel.data import open_images
from nextpixel.data.sources.vectors import read_rows
from nextpixel.errors import DataError

VECTORS = np.arange(12, dtype=np.float64).reshape(4, 3) / 8
IMAGES = noise(4, 5, 6)


def test_an_npz_may_hold_vectors(tmp_path):
    np.savez(tmp_path / "a.npz", images=IMAGES, vectors=VECTORS)
    images = open_images(tmp_path / "a.npz")
    assert images.vectors.tolist() == VECTORS.tolist()
    assert images.subset([2, 0]).vectors.tolist() == VECTORS[[2, 0]].tolist()
    assert open_images(IMAGES).vectors is None


@pytest.mark.parametrize("form", ["npz", "npy", "array", "integers"])
def test_vectors_may_lie_elsewhere(tmp_path, form):
    np.savez(tmp_path / "a.npz", images=IMAGES, vectors=np.zeros((4, 9)))
    np.savez(tmp_path / "b.npz", vectors=VECTORS)
    np.save(tmp_path / "b.npy", VECTORS)
    given = {"npz": str(tmp_path / "b.npz"), "npy": tmp_path / "b.npy", "array": VECTORS}
    given["integers"] = np.arange(12).reshape(4, 3)
    found = open_images(tmp_path / "a.npz", vectors=given[form]).vectors
    assert found.tolist() == (np.arange(12.0).reshape(4, 3) if form == "integers" else VECTORS).tolist()


def test_a_folder_has_embeddings_matched_by_name(tmp_path):
    folder = put(tmp_path / "set", pngs("b.png", "a.png", "c.png", "d.png"))
    np.savez(folder / "embeddings.npz", vectors=VECTORS, names=["d.png", "c.png", "a.png", "b.png"])
    images = open_images(folder)
    assert images.names == ("a.png", "b.png", "c.png", "d.png")
    assert images.vectors.tolist() == VECTORS[[2, 3, 1, 0]].tolist()


def test_without_names_the_order_is_that_of_the_images(tmp_path):
    folder = put(tmp_path / "set", pngs("b.png", "a.png", "c.png", "d.png"))
    np.savez(folder / "embeddings.npz", vectors=VECTORS)
    assert open_images(folder).vectors.tolist() == VECTORS.tolist()


@pytest.mark.parametrize("cell", ["{} {} {}", "[{}, {}, {}]", "{}; {};{}", " ({},{},{}) "])
def test_a_table_may_have_a_column_of_vectors(tmp_path, cell):
    folder = put(tmp_path / "set", pngs("a.png", "b.png"))
    rows = [("b.png", 1, (0.5, -2, 3)), ("a.png", 0, (1e-3, 0, 7))]
    lines = [f'{name},{label},"{cell.format(*vector)}"' for name, label, vector in rows]
    put(folder, {"metadata.csv": "\n".join(["file_name,label,vector", *lines])})
    for _ in range(2):  # the second time from the cache
        images = open_images(folder)
        assert images.vectors.tolist() == [pytest.approx([1e-3, 0, 7]), [0.5, -2, 3]]
        assert images.labels.tolist() == [0, 1]


def test_a_table_of_json_lines_may_have_vectors(tmp_path):
    folder = put(tmp_path / "set", pngs("a.png", "b.png"))
    lines = '{"file_name": "a.png", "vector": [1, 2.5]}\n{"file_name": "b.png", "vector": [3, -4]}\n'
    put(folder, {"metadata.jsonl": lines})
    assert open_images(folder).vectors.tolist() == [[1, 2.5], [3, -4]]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("1 2", "", "b.png|numbers with spaces"),
        ("1 2", "1 2 3", "a.png .* has a vector of 2 numbers and b.png one of 3"),
        ("1 x", "1 2", "vector '1 x'"),
        ("1 nan", "1 2", "vector '1 nan'"),
    ],
)
def test_a_column_of_vectors_must_fit(tmp_path, first, second, message):
    folder = put(tmp_path / "set", pngs("a.png", "b.png"))
    put(folder, {"metadata.csv": f'file_name,vector\na.png,"{first}"\nb.png,"{second}"\n'})
    with pytest.raises(DataError, match=message):
        assert open_images(folder).vectors is None


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"vectors": VECTORS[:3]}, "are 3 for the 4 images"),
        ({"vectors": VECTORS[0]}, r"\[N, d\]"),
        ({"vectors": np.array(["a", "b", "c", "d"])}, "must be numbers"),
        ({"vectors": VECTORS * np.nan}, "not finite"),
        ({"others": VECTORS}, "holds no vectors"),
        ({"vectors": VECTORS, "names": ["a.png", "b.png", "c.png", "x.png"]}, "no vector for d.png"),
        ({"vectors": VECTORS, "names": ["a.png", "a.png", "c.png", "d.png"]}, "give each one its own"),
        ({"vectors": VECTORS, "names": np.arange(4)}, "list of texts"),
        ({"vectors": np.array([None] * 4)}, "never unpickled"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(tmp_path, entries, message):
    folder = put(tmp_path / "set", pngs("a.png", "b.png", "c.png", "d.png"))
    np.savez(tmp_path / "v.npz", **entries)
    with pytest.raises(DataError, match=message):
        open_images(folder, vectors=tmp_path / "v.npz")


def test_vectors_that_nobody_asked_for_do_no_harm(tmp_path):
    folder = put(tmp_path / "set", pngs("a.png", "b.png"))
    np.savez(folder / "embeddings.npz", vectors=VECTORS)
    images = open_images(folder)
    assert len(images) == 2
    with pytest.raises(DataError, match="are 4 for the 2 images"):
        _ = images.vectors


def test_vectors_too_large_for_floats_are_refused(tmp_path):
    folder = put(tmp_path / "set", pngs("a.png", "b.png"))
    put(folder, {"metadata.csv": 'file_name,vector\na.png,"1 2"\nb.png,"3 1e39"\n'})
    with pytest.raises(DataError, match="too large"):
        assert open_images(folder).vectors is None
    np.savez(tmp_path / "a.npz", images=IMAGES)
    with pytest.raises(DataError, match="not finite"):
        open_images(tmp_path / "a.npz", vectors=(VECTORS + 1) * 1e300)


def test_a_file_that_is_none_is_refused(tmp_path):
    put(tmp_path, {"a.npz": b"PK nonsense", "a.npy": b"nonsense", "one.png": encode(noise(3, 4))})
    for name in ("a.npz", "a.npy", "missing.npz"):
        with pytest.raises(DataError, match=name):
            open_images(tmp_path / "one.png", vectors=tmp_path / name)


def test_rows_are_one_vector_or_several(tmp_path):
    np.save(tmp_path / "one.npy", VECTORS[0])
    np.save(tmp_path / "many.npy", VECTORS)
    assert read_rows(tmp_path / "one.npy").tolist() == [VECTORS[0].tolist()]
    assert read_rows(tmp_path / "many.npy").tolist() == VECTORS.tolist()
