"""The commands that show what there is: `actlab functions | recipes`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from actlab.cli.printing import print_json, show
from actlab.errors import InvalidFunction, InvalidStudy


def functions(
    name: Annotated[str | None, typer.Argument(help="One function: its card. All where left out.")] = None,
    family: Annotated[str | None, typer.Option(metavar="FAMILY", help="Only those of one family.")] = None,
    smooth: Annotated[bool, typer.Option("--smooth", help="Only those without kinks and jumps.")] = False,
    monotone: Annotated[bool, typer.Option("--monotone", help="Only those that never turn.")] = False,
    search: Annotated[
        str, typer.Option(metavar="WORDS", help="Only those with these words in name, formula, source or elsewhere.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw function and derivative into FILE (.png, .svg, .pdf)."),
    ] = None,
) -> None:
    """The catalogue of activation functions, with their facts as measured."""
    from actlab.functions import activation_named, select

    conditions = {"--family": family, "--smooth": smooth, "--monotone": monotone, "--search": search}
    if name and (given := [option for option, value in conditions.items() if value]):
        raise InvalidFunction(f"{given[0]} chooses among all functions: leave it out, or leave {name!r} out.")
    chosen = (
        [activation_named(name)] if name else select(family=family, smooth=smooth, monotone=monotone, search=search)
    )
    if not chosen:
        raise InvalidFunction("no function meets all conditions: leave one out.")
    if plot is not None:
        from actlab.views.figures.functions import plot as draw

        draw(chosen, plot)
        typer.echo(f"wrote {plot}", err=as_json)
    if as_json:
        records = [function.to_dict() for function in chosen]
        print_json(records[0] if name else records)
    elif plot is None:
        from actlab.views.terminal.functions import function_card, functions_table

        show(function_card(chosen[0]) if name else functions_table(chosen))


def recipes(
    name: Annotated[str | None, typer.Argument(help="One recipe: all about it. All of them where left out.")] = None,
    toml: Annotated[bool, typer.Option("--toml", help="Print it as a study file, to be changed and compared.")] = False,
) -> None:
    """Named studies that one word runs: `actlab compare NAME`."""
    from actlab.recipes import RECIPES, measured, recipe
    from actlab.views.terminal.recipes import recipe_card, recipes_table

    if name is None:
        if toml:
            raise InvalidStudy("--toml prints one recipe: name it, as in actlab recipes digits --toml.")
        show(recipes_table(RECIPES, measured()))
    elif toml:
        typer.echo(recipe(name).study.to_toml(), nl=False)
    else:
        show(recipe_card(recipe(name), measured().get(name)))
