"""Write docs/recipes.md: what came out of the comparisons in docs/recipes, from their recordings.

.venv/bin/python docs/recipes/NAME.py runs/NAME      first, for each NAME
.venv/bin/python docs/own_loops.py [RUNS]            runs where they lie, "runs" by default
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import actlab
from actlab.errors import InvalidRecording
from actlab.objectives import lead_in
from actlab.recording import Recording

FOLDER = Path(__file__).parent / "recipes"
TITLES = {
    "residual_cnn": "A residual network on digits, PyTorch",
    "character_transformer": "A Transformer of letters with gated feed-forwards at equal parameters, PyTorch",
    "residual_cnn_keras": "The residual network in Keras",
}


def section(name: str, recording: Recording) -> Iterator[str]:
    """A comparison as Markdown: what it is, its table, what is to be borne in mind."""
    summary = actlab.summarise(recording)
    lead, facts = lead_in(summary), recording.facts
    path = FOLDER / f"{name}.py"
    yield f"## {TITLES[name]}"
    yield ""
    yield f"[`docs/recipes/{path.name}`](recipes/{path.name}): {_first_line(path)}"
    yield ""
    yield summary["headline"]
    yield ""
    yield f"| function | test {lead.title} | 95 % | test loss | parameters | learning rate |"
    yield "|---|---|---|---|---|---|"
    for row in summary["activations"]:
        estimate = row[lead.test]
        ends = " to ".join(lead.number(end, 2) for end in estimate["ci95"] or ())
        loss = row["test_loss"]["mean"]
        yield (
            f"| {row['name']} | {lead.said(estimate['mean'], 2)} | {ends} | "
            f"{'–' if loss is None else f'{loss:.4f}'} | {row['parameters']:,} | × {row['learning_rate']:g} |"
        )
    yield ""
    yield (
        f"{len(recording.members)} networks, {facts['train_seconds']:.0f} s of training in {facts['processes']} "
        f"processes on {facts['machine']}, with {', '.join(f'{k} {v}' for k, v in facts['versions'].items())}."
    )
    yield ""
    yield from (f"- {note}" for note in summary["notes"])
    yield ""


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").split('"""')[1].splitlines()[0]


def main(runs: Path) -> None:
    """Write the page of those that were run."""
    lines = [
        "# Functions compared in one's own model and loop",
        "",
        "What `actlab.torch.compare` and `actlab.keras.compare` make of three models with their own training loops. "
        "Written by `docs/own_loops.py` from the recordings.",
        "",
    ]
    for name in TITLES:
        try:
            recording = actlab.load(runs / name)
        except InvalidRecording as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        lines += section(name, recording)
    Path(__file__).with_name("recipes.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs"))
