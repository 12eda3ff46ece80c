"""Answers of the page's server, in tests without a browser."""

import json


def events_of(answer):
    """The events of an answer that is a line for each."""
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]
