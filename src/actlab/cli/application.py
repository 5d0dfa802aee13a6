"""The command line: its commands, and how errors and warnings end as sentences.

Every error is one sentence on stderr and exit code 2. Heavy modules are imported by the command that
needs them.
"""

from __future__ import annotations

import sys
import warnings
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from actlab.cli.catalogue import functions, recipes
from actlab.cli.compare import Stopped, compare
from actlab.cli.diagnose import diagnose
from actlab.cli.figures import animate, figure
from actlab.cli.heal import heal
from actlab.cli.recordings import export, power, report
from actlab.cli.task import task
from actlab.errors import ActlabError, ActlabWarning, complaint

app = typer.Typer(
    name="actlab",
    help="The laboratory for activation functions: train, record, compare, understand.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _laboratory(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        from actlab import __version__

        typer.echo(f"actlab {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command()(functions)
app.command()(recipes)
app.command()(task)
app.command()(compare)
app.command()(heal)
app.command()(report)
app.command()(diagnose)
app.command()(power)
app.command()(figure)
app.command()(animate)
app.command()(export)


def _sentence(error: TyperException) -> str:
    """A wrong command line in one sentence."""
    if isinstance(error, typer.BadParameter) and error.param and hasattr(error.__cause__, "errors"):
        problem = error.__cause__.errors()[0]  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        return complaint(problem | {"loc": (error.param.opts[0],)})
    message = error.format_message()
    return f"{message[:1].lower()}{message[1:].rstrip('.')}{'' if message.endswith('?') else '.'}"


def _show_warnings_as_sentences() -> None:
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, ActlabWarning):
            typer.echo(f"actlab: {message}", err=True)
        else:
            usual(message, category, *place, **more)

    warnings.showwarning = show


def main() -> None:
    """Entry point. Errors that a user can meet end as one sentence on stderr and exit code 2, warnings as one alone."""
    _show_warnings_as_sentences()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # A terminal of another encoding must not end a run.
    message, code = "", 2
    try:
        code = app(standalone_mode=False) or 0
        if code == 130:
            message = "stopped."
    except Stopped as stop:
        message, code = str(stop), 130
    except ActlabError as error:
        message = str(error)
    except TyperException as error:
        message = _sentence(error)
    except OSError as error:
        message = f"{error.filename or 'the output'}: {error.strerror or error}."
    if message:
        typer.echo(f"actlab: {message}", err=True)
    sys.exit(code)
