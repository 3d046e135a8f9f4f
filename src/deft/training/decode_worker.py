"""The process that decodes images for another one: pieces come in on standard input, what became of them goes out."""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import sys
from collections.abc import Callable
from typing import BinaryIO

from deft.training.decode_process import NUMBER


def main() -> None:
    """Serve until standard input ends, which it also does when the other process is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the other process's to handle
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())  # whatever a decoder prints doesn't mix with the answers
    with open(sys.argv[1], "r+b") as place, mmap.mmap(place.fileno(), NUMBER.size) as at:
        serve(sys.stdin.buffer, answers, lambda number: NUMBER.pack_into(at, 0, number))


def serve(questions: BinaryIO, answers: BinaryIO, started: Callable[[int], None]) -> None:
    """Fill each piece that is asked for, and answer with what became of it or with the exception.

    Args:
        questions: Where pieces come from.
        answers: Where answers go.
        started: Told the number of each image in its piece before it is read.
    """
    while True:
        try:
            piece = pickle.load(questions)
        except EOFError:
            return
        try:
            answer = piece.fill(started)
        except Exception as error:
            answer = error if isinstance(error, OSError) else RuntimeError(f"{type(error).__name__}: {error}")
        pickle.dump(answer, answers)
        answers.flush()
