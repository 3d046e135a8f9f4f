"""The process that decodes images for another one: pieces come in on standard input, errors go out."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from typing import BinaryIO


def main() -> None:
    """Serve until standard input ends, which it also does when the other process is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the other process's to handle
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())  # whatever a decoder prints doesn't mix with the answers
    serve(sys.stdin.buffer, answers)


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Fill each piece that is asked for, and answer with its errors or with the exception."""
    while True:
        try:
            piece = pickle.load(questions)
        except EOFError:
            return
        try:
            answer = piece.fill()
        except Exception as error:
            answer = error if isinstance(error, OSError) else RuntimeError(f"{type(error).__name__}: {error}")
        pickle.dump(answer, answers)
        answers.flush()
