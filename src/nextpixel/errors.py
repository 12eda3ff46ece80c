"""The errors that nextpixel raises on purpose.

Each message is one sentence that names the file or the value at fault and what to do about it, since the
command line prints it as it stands and exits with code 2. Anything else that escapes is a fault of ours.
"""

from __future__ import annotations


class NextpixelError(Exception):
    """Base class of every error that a user can mend.

    Attributes:
        exit_code: what the command line exits with.
        shared: whether every process of a command that several do together raises it.
    """

    exit_code = 2
    shared = False


class DataError(NextpixelError):
    """An image source that cannot be read, or whose images do not fit together."""


class ModelError(NextpixelError):
    """A model that cannot be built, loaded or given the arguments it was given."""


class InputError(NextpixelError):
    """Images, conditions or masks that do not fit the model they were given to."""


class TrainingError(NextpixelError):
    """A training run that cannot start, go on or be resumed."""


class ProcessError(NextpixelError):
    """Several processes of one command of which one is gone."""
