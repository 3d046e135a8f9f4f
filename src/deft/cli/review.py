"""`deft review`: a local page on which people decide about labels."""

from __future__ import annotations

from typing import Annotated

import typer

from deft.cli.options import Moved, Run
from deft.cli.terminal import tell
from deft.errors import SettingsError
from deft.wording import counted


def review(
    run: Run,
    data: Moved = None,
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port on this machine; 0 for any that is free.")
    ] = 0,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="For other devices: an address of this machine; 0.0.0.0 for all. Unencrypted."
        ),
    ] = None,
    reviewer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who decides; your user name if not given.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Look at suspects and decide, by keyboard, on a web page of this machine; decisions go to RUN/reviews.sqlite."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise SettingsError("deft review needs two more packages: pip install 'deft-labels[review]'.") from error

    import threading
    import webbrowser

    from deft.cli.run_folder import check_opens
    from deft.reviewing.hosts import LOOPBACK, RISK
    from deft.reviewing.serve import serve
    from deft.runs.folder import open_run

    name = (_user() if reviewer is None else reviewer).strip()
    if not name:
        raise SettingsError("--reviewer needs a name.")
    check_opens(run, data)
    found, images = open_run(run, data=data)
    opened: list[str] = []

    if host is not None:
        tell(RISK)

    def announce(address: str) -> None:
        if not opened:
            flagged = int(found.is_label_issue.sum())
            typer.echo(f"{counted(len(found), 'image')}, {flagged} flagged. Stop with Ctrl-C; nothing is lost.")
        typer.echo(f"{'For another browser' if opened else 'Review page'}: {address}")
        if not opened and not no_browser and host is None:  # the address is for another device's browser
            # In a thread of its own: some browsers only return when they are closed.
            threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
        opened.append(address)

    serve(run, found, images, reviewer=name, port=port, announce=announce, host=host or LOOPBACK)
    typer.echo(f"Stopped. The decisions are in {run}; use them with: deft detect {run} --with-reviews -o NEW")


def _user() -> str:
    """Name of who runs this; some systems know none."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
