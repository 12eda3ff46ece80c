"""`nextpixel`: the application, its commands by name, and what its exit codes mean."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import NoReturn

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter
from rich.console import Console

from nextpixel._version import __version__
from nextpixel.cli.ending import EndedError, ending_in_order
from nextpixel.errors import NextpixelError
from nextpixel.runtime.compilation import leave
from nextpixel.runtime.distributed import launched, launched_count, launched_rank
from nextpixel.runtime.quoting import printable

EXIT_USER, EXIT_INTERRUPTED = 2, 130
MOST_CHARACTERS = 2000
USER_ERRORS = {
    errno.ENAMETOOLONG,
    errno.EACCES,
    errno.EPERM,
    errno.ENOSPC,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
}

COMMANDS = {
    "quickstart": "Draw, complete, score and compress digits with a model of the package: no data, no training.",
    "train": "Train a model on a folder of images, an array, or a named data set.",
    "evaluate": "Measure the exact likelihood of images, in nats per image and bits per dimension.",
    "sample": "Generate images: one picture of all, an array, or a folder of pictures.",
    "complete": "Draw the unknown part of images, given the known part.",
    "reconstruct": "Encode images with an autoencoder, and draw them again from their codes.",
    "embed": "Write the codes that an autoencoder gives to images.",
    "score": "Tell how likely each image is, and how unusual; draw heat maps of the bits.",
    "compare": "Tell which of two models fits images better, image by image.",
    "serve": "Show models on a web page: generate, complete, see the bits, compress.",
    "prepare": "Write images as a data set that opens at once and may be larger than memory.",
    "compress": "Compress pictures without loss, by the exact probabilities of a model.",
    "decompress": "Restore compressed pictures, pixel for pixel.",
    "check": "Prove by gradients that a trained model sees the past and nothing else.",
    "explain": "Draw what the distribution of a pixel depends on, and the order in which pixels are drawn.",
    "export": "Write a small model folder with a full model card, to keep or to share.",
    "info": "Show what a trained model is, and how it was trained.",
    "models": "List the model families, and the trained models that come with the package.",
    "recipes": "List the recipes of `train --recipe`, or show one of them.",
}
"""Each with the first line of its docstring, so that their list imports none of them."""

USAGES = {
    "compress": "[RUN] PICTURES... --out FILE.npx [OPTIONS]",
    "decompress": "[RUN] FILE.npx --out FOLDER [OPTIONS]",
    "serve": "[RUN...] [OPTIONS]",
}
"""Of the commands that take any number of things without a flag, of which the signature does not tell the meaning."""

SHARED = {"train", "evaluate", "sample", "complete", "score", "compare", "compress"}
"""What the processes that torchrun starts do together; any other command is done by the first one alone."""

app = App(
    name="nextpixel",
    help=(
        "Exact-likelihood autoregressive image models: train on your images, generate, complete, score, compress.\n"
        "\n"
        "DATA is a folder of images (train/valid/test and class sub-folders are understood), a .zip or .tar of one, "
        "an .npz, .npy or idx file, a folder that `nextpixel prepare` has written, a name (digits, mnist, "
        "fashion-mnist, cifar10), or hf:NAME for a set of the Hugging Face hub.\n"
        "\n"
        "RUN is the folder of a run or a model, or the name of a model that comes with the package, such as "
        "nextpixel/digits-gated, or hf:USER/NAME for one of the hub.\n"
        "\n"
        "To see what it does, begin with `nextpixel quickstart`."
    ),
    version=__version__,
    suppress_keyboard_interrupt=False,
    help_format="markdown",
    # No --empty-crop beside --crop: what is left out is empty.
    default_parameter=Parameter(negative_iterable=()),
)
for _name, _help in COMMANDS.items():
    _usage = f"Usage: nextpixel {_name} {USAGES[_name]}" if _name in USAGES else None
    app.command(f"nextpixel.cli.{_name}:{_name}", name=_name, help=_help, usage=_usage)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code.

    That is 0, 2 for what the user can mend, 1 for our faults, and 128 + n where signal n ended it.
    """
    leave(run(sys.argv[1:] if arguments is None else list(arguments)))


def let_docstring_help(name: str) -> None:
    """Import a command, and let its help be its whole docstring instead of the first line."""
    app[name].help = None


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    from nextpixel.cli.config import config_sources

    if launched_rank() and SHARED.isdisjoint(arguments[:1]):
        return 0
    try:
        if not COMMANDS.keys().isdisjoint(arguments[:1]):
            let_docstring_help(arguments[0])
        app.config = config_sources(arguments)
        # Several processes may wait for each other in PyTorch, where no handler runs; their launcher ends them.
        with nullcontext() if launched_count() > 1 else ending_in_order(), _together(arguments):
            app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _leave_to_first(EXIT_USER) if launched_rank() else complain(_told(error, arguments))
    except EndedError as error:
        return complain(f"ended by {signal.Signals(error.number).name}", error.exit_code)
    except KeyboardInterrupt:
        complain("interrupted")
        return EXIT_INTERRUPTED
    except NextpixelError as error:
        if error.shared and launched_rank():
            return _leave_to_first(error.exit_code)
        return complain(str(error), error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.errno not in USER_ERRORS or error.filename is None:
            raise
        return complain(f"{error.filename} cannot be used ({error.strerror}); choose another name or place")
    return 0


def _told(error: CycloptsError, arguments: Sequence[str]) -> str:
    """What is wrong with the arguments, in one sentence."""
    from nextpixel.cli.config import recipe_of

    missing = error.argument if isinstance(error, MissingArgumentError) else None
    # Without a value after an option that is there, cyclopts says so well enough.
    if missing is None or missing.name in arguments:
        return str(error).strip().replace("\n", " ")
    command = " ".join(error.command_chain or ())
    name = missing.name.lstrip("-").upper() if missing.index is not None else missing.name
    sentence = f"{command} needs {name}; see nextpixel {command} --help"
    if (command, name) == ("train", "DATA") and (recipe := recipe_of(arguments)) is not None:
        sentence += f". The recipe {recipe.name} is for {recipe.data}: {recipe.source}"
    return sentence


@contextmanager
def _together(arguments: Sequence[str]) -> Iterator[None]:
    """Inside, the processes that torchrun started do a command together, and the first one prints."""
    if launched_count() == 1 or SHARED.isdisjoint(arguments[:1]):
        yield
        return
    # Not a word of PyTorch's own about how it adds up gradients; it is read when PyTorch is imported.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    # Wrong arguments are told by the first process at once, without waiting for the others.
    app.parse_args(arguments, exit_on_error=False, print_error=False)
    with launched() as processes, ExitStack() as stack:
        if not processes.first:
            stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
        yield


def _leave_to_first(code: int) -> int:
    """The exit code, after a while: torchrun ends all processes as soon as one does, and the first is to speak."""
    time.sleep(1)
    return code


def complain(sentence: str, code: int = EXIT_USER) -> int:
    """Print one sentence to the standard error, and return the exit code."""
    # A name in a file may hold what a terminal would obey.
    sentence = printable(sentence[:MOST_CHARACTERS])
    who = f"process {launched_rank()}: " if launched_rank() else ""
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"nextpixel: {who}{sentence}", markup=False)
    return code
