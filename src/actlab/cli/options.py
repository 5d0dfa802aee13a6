"""The options that several commands take; above all those that say which data, and how they are to be read."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from actlab.recording import Recording

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]
Activations = Annotated[
    str | None, typer.Option("--activations", metavar="A,B,C", help="Only these, a row of panels each.")
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="NAME",
        help="Compare each function with this one, not each with each: fewer tests tell more.",
    ),
]
Metric = Annotated[
    str | None,
    typer.Option("--metric", metavar="NAME", help="Rank and compare by it: accuracy, macro_f1, roc_auc, rmse, loss …"),
]
_Text = str | None
_Texts = list[str] | None
# By name, in the order of the help; each is a setting of `actlab.study.Study` too.
_OPTIONS: dict[str, Any] = {
    "target": Annotated[
        _Text, typer.Option(metavar="COLUMN", help="Column of a table to learn, by name or number; several: A,B.")
    ],
    "objective": Annotated[
        _Text,
        typer.Option(
            metavar="classes|regression|labels",
            help="Whether the target names classes, is a quantity, or several labels.",
        ),
    ],
    "header": Annotated[
        _Text, typer.Option(metavar="yes|no", help="Whether a table's first row names its columns, or is data.")
    ],
    "classes": Annotated[
        _Text,
        typer.Option(
            metavar="texts|numbers|fold",
            help="Each text of the target is a class, or each number; or texts that differ in case or blanks are one.",
        ),
    ],
    "keep": Annotated[
        _Texts, typer.Option(metavar="A,B", help="Train on these although they would be left out; repeatable.")
    ],
    "drop": Annotated[_Texts, typer.Option(metavar="A,B", help="Leave these columns out; may be repeated.")],
    "categorical": Annotated[
        _Texts, typer.Option(metavar="A,B", help="Take their values, numbers too, for names of categories; repeatable.")
    ],
    "missing": Annotated[
        _Texts, typer.Option(metavar="TEXT", help="Cells of it say that nothing is known, as -999; may be repeated.")
    ],
    "group": Annotated[
        _Text, typer.Option(metavar="COLUMN", help="All rows that are alike in it come into the same part.")
    ],
    "time": Annotated[_Text, typer.Option(metavar="COLUMN", help="Train on earlier rows and test on later ones.")],
    "test": Annotated[_Text, typer.Option(metavar="FILE", help="A second table, or further arrays, to test on.")],
    "separator": Annotated[
        _Text, typer.Option(metavar=";|tab|blanks", help="What stands between the cells of a table.")
    ],
    "decimal": Annotated[_Text, typer.Option(metavar=".|,", help="The decimal sign of its numbers.")],
    "encoding": Annotated[_Text, typer.Option(metavar="NAME", help="Of its bytes, as utf-8 or latin-1.")],
    "sheet": Annotated[_Text, typer.Option(metavar="NAME", help="Sheet of a workbook, by name or number.")],
    "layout": Annotated[
        _Text,
        typer.Option(
            metavar="channels-first|…",
            help="What lies where in arrays: channels-first|channels-last, samples-first|samples-last; sequences or "
            "tokens for a network of your own.",
        ),
    ],
    "scale": Annotated[
        _Text, typer.Option(metavar="255|none", help="Divide what arrays hold by it, or take it as it is.")
    ],
    "size": Annotated[
        int | None, typer.Option(metavar="N", help="Cut and resize the pictures of a folder to N×N pixels.")
    ],
}


def with_data_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with these options in the place of its argument `data`, which gets those that are given, by name."""
    own = inspect.signature(command).parameters
    hints = get_type_hints(command, include_extras=True)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _OPTIONS.items()
    ]
    parameters: list[inspect.Parameter] = []
    for name, parameter in own.items():
        as_keyword = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
        parameters += added if name == "data" else [as_keyword]

    @wraps(command)
    def called(**given: Any) -> None:
        data = {name: given.pop(name) for name in _OPTIONS}
        data["scale"] = _divisor(data["scale"])
        command(data={name: value for name, value in data.items() if value not in (None, [])}, **given)

    called.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called


def _divisor(text: str | None) -> float | str | None:
    """The number of --scale; what is none is left to the study, to be taken or refused."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def compare_with(recording: Recording, baseline: str | None, metric: str | None) -> None:
    """Let a recording tell what --baseline and --metric ask for."""
    from actlab.statistics.pairs import check_baseline

    check_baseline(recording.study, baseline)
    recording.baseline = baseline
    recording.lead_by(metric)
