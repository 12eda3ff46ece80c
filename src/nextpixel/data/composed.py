"""Texts that are compared: names of files and classes."""

from __future__ import annotations

import unicodedata


def composed(text: str) -> str:
    """The text with accents and their letters as one character each (NFC); macOS writes names with two."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)
