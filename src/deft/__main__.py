"""`python -m deft` is the command `deft`."""

from __future__ import annotations

from deft.cli import main

if __name__ == "__main__":
    main()
