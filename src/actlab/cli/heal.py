"""The command that heals: `actlab heal`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actlab.cli.printing import print_json
from actlab.errors import InvalidStudy

if TYPE_CHECKING:
    from actlab.laboratory.healing import Healing

_Source = Annotated[
    list[str], typer.Argument(metavar="RUN|STUDY.toml|M:build M:train", help="A study, or a network of your own.")
]
_Target = Annotated[float | None, typer.Option(metavar="SCORE", help="The score that counts as repaired.")]
_Twin = Annotated[
    str | None,
    typer.Option(metavar="NAME|M:build,M:train", help="What is healthy: an activation of the study, or a network."),
]
_Better = Annotated[str, typer.Option(metavar="higher|lower", help="Which scores of your own train are better.")]
_Mute = Annotated[list[str] | None, typer.Option(metavar="CODE", help="Leave a finding alone; may be repeated.")]
_Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Of a study: where its tries come to lie; NAME-healed by default.")
]


def heal(
    source: _Source,
    seeds: Annotated[int, typer.Option(metavar="N", help="Number of new seeds.")] = 3,
    target: _Target = None,
    twin: _Twin = None,
    activation: Annotated[str | None, typer.Option(metavar="NAME", help="Of a study: which one to heal.")] = None,
    metric: Annotated[str | None, typer.Option(metavar="NAME", help="Of several that your train gives.")] = None,
    better: _Better = "higher",
    mute: _Mute = None,
    processes: Annotated[int | None, typer.Option(metavar="N", help="Train in so many processes.")] = None,
    out: _Out = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Try what would help a training that goes wrong, and say by validation alone what does."""
    progress = None if as_json else lambda sentence: typer.echo(f"trying: {sentence}", err=True)
    if len(source) == 2 and all(":" in own for own in source):
        if activation or out:
            raise InvalidStudy("--activation and --out are of studies: leave them out for a network of your own.")
        from actlab.laboratory.healing import heal as heal_own

        build, train = map(_imported, source)
        pair = tuple(map(_imported, twin.split(","))) if twin else None
        if pair is not None and len(pair) != 2:
            raise InvalidStudy(f"--twin {twin}: two are expected, as in my_module:build,my_module:train.")
        made = heal_own(
            build, train, seeds=seeds, target=target, twin=pair, better=better, metric=metric, mute=mute or (),
            processes=processes, progress=progress,
        )  # fmt: skip
    elif len(source) == 1:
        if metric or processes or mute or better != "higher":
            raise InvalidStudy(
                "--metric, --better, --mute and --processes are of networks of your own, not of studies."
            )
        made = _study(source[0], activation, seeds, target, twin, out, progress)
    else:
        raise InvalidStudy("one RUN or STUDY.toml is expected, or two of your own: my_module:build my_module:train.")
    _tell(made, as_json)


def _tell(made: Healing, as_json: bool) -> None:
    if as_json:
        print_json(made.to_dict())
    else:
        typer.echo(str(made))
    if not made.ok:
        raise typer.Exit(1)


def _imported(name: str) -> Any:
    from actlab.imports import imported

    try:
        found = imported(name)
    except ImportError as error:
        raise InvalidStudy(f"{name} cannot be imported: {error}.") from None
    if not callable(found):
        raise InvalidStudy(f"{name} is {type(found).__name__}: a function is expected.")
    return found


def _study(
    source: str, activation: str | None, seeds: int, target: float | None, twin: str | None, out: Path | None,
    progress: Any,
) -> Healing:  # fmt: skip
    """Heal what a run directory holds; of a study file that is trained first."""
    from actlab.laboratory import run
    from actlab.laboratory.healing.studies import heal_study
    from actlab.recording import load
    from actlab.study import from_toml

    path = Path(source)
    directory = out or path.with_name(f"{path.stem if path.suffix == '.toml' else path.name}-healed")
    if path.suffix == ".toml":
        recording: Any = run(from_toml(path), directory / "untouched")
        tries = directory / "tries"
    else:
        recording, tries = load(path), directory
    return heal_study(
        recording, tries, activation=activation, seeds=seeds, target=target, twin=twin, progress=progress
    )  # fmt: skip
