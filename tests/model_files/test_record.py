import json

import pytest

from nextpixel.data.reading import Reading
from nextpixel.model_files.likelihood import Likelihood
from nextpixel.model_files.record import VERSION, HeldOut, TrainingRecord, Validation
from nextpixel.model_files.shipped import read_config, shipped

FULL = TrainingRecord(
    name="somebody/something",
    images=Reading(levels=4, resize="8x8"),
    held_out=HeldOut(0.05, "0123"),
    settings={"steps": 3, "minutes": None, "learning_rate": 0.1, "compile": False, "device": "cpu"},
    likelihood=Likelihood(3, 1.5, 0.1, 2.0, 0.2),
    quantiles=[1.0, 2.0],
    validations=[Validation(1, 0.5, 3.0)],
    mutation=0.2,
    parameters=7,
)


@pytest.mark.parametrize("record", [TrainingRecord(), TrainingRecord(data="noise"), FULL])
def test_a_record_comes_back_from_its_file_as_it_was(record):
    entries = json.loads(json.dumps(record.to_json()))
    assert entries.get("version", VERSION) == VERSION
    assert TrainingRecord.from_json(entries) == record


@pytest.mark.parametrize("name", shipped())
def test_records_from_before_there_was_a_version_are_read_whole(name):
    entries = read_config(name)["record"]
    if "version" in entries:
        pytest.skip("it was written by this version")
    record = TrainingRecord.from_json(entries)
    assert record.notes == {}
    written = record.to_json()
    for entry, value in entries.items():
        # Later versions say more of the same, by entries with the value that was meant before.
        assert (written[entry] | value if isinstance(value, dict) else value) == written[entry]


def test_what_an_older_version_knew_and_this_one_does_not_is_kept():
    record = TrainingRecord.from_json({"data": "noise", "weather": "rain"})
    assert record.notes == {"weather": "rain"}
    assert TrainingRecord.from_json(record.to_json()) == record


WRONG = {
    "data": [3, ["noise"], {}, True],
    "images": ["8x8", {"levels": "4"}, {"binarize": "sometimes"}, [1]],
    "held_out": [{"fraction": 0.1}, {"fraction": 0.0, "fingerprint": "a"}, {"fraction": "0.1", "fingerprint": "a"}, 3],
    "likelihood": [{"nats": 3}, 7.5, dict.fromkeys(("images", "nats"), "1")],
    "quantiles": ["1", [1], [2, 1], [1, float("nan")], [1, "2"], {"a": 1}],
    "validations": [[{"step": -1, "seconds": 1, "nats": 1}], [{"step": 1, "nats": 1}], [3], 3, "long"],
    "settings": [3, [1], {"steps": [1]}, {"steps": {"a": 1}}],
    "mutation": [-0.1, 1.1, float("nan"), "0.2"],
    "parameters": [0, -1, 2.5, True, "7"],
    "trained": [["long"], 3],
    "version": [VERSION + 1, -1, "1", True, 1.0, [1]],
    "weather": [["of", "lists"], {"a": {}}],
}


@pytest.mark.parametrize(("entry", "value"), [(entry, value) for entry, values in WRONG.items() for value in values])
def test_an_entry_of_another_type_or_out_of_range_is_refused(entry, value):
    with pytest.raises(ValueError, match="training record"):
        TrainingRecord.from_json({entry: value})


def test_an_unknown_entry_of_a_known_version_is_refused():
    with pytest.raises(ValueError, match="unknown entry 'weather'"):
        TrainingRecord.from_json({"version": VERSION, "weather": "rain"})
