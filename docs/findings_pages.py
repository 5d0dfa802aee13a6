"""Write docs/findings/: a page for each code, with a picture of a training that has the fault and one without.

    .venv/bin/python -m docs.findings_pages            pages and pictures
    .venv/bin/python -m docs.findings_pages --check    whether the pages say what the rules do; trains nothing

What pages say stands in docs/findings/texts.toml; thresholds are those of the rules, by their names.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from actlab.diagnosis import course, data, exact, judgement, nothing, outputs, soft
from actlab.diagnosis.judgement import findings_of
from actlab.statistics.findings import gradient, inputs, labels, learning, rate, start, units
from actlab.statistics.findings.codes import CODES, Code

FOLDER = Path(__file__).parent / "findings"
RULES = {
    "course": course, "data": data, "exact": exact, "judgement": judgement, "nothing": nothing, "outputs": outputs,
    "soft": soft, "gradient": gradient, "inputs": inputs, "labels": labels, "learning": learning, "rate": rate,
    "start": start, "units": units,
}  # fmt: skip
# Losses that far above the constant answer's are drawn by their logarithms.
FAR = 5.0
HEAD = """# Findings, by code

What `actlab.watch` and `actlab.diagnose` say of a model that is trained, and studies of their networks: one list. Each
code is a name for programs and stays what it is; findings that are not wanted are left out by `mute=[CODE, ...]`. How
often they are right is counted in [findings.md](../findings.md).

"""


def texts() -> dict[str, dict[str, str]]:
    """By code, what its page says, with the numbers of the rules."""
    written: dict[str, Any] = tomllib.loads((FOLDER / "texts.toml").read_text(encoding="utf-8"))
    common = {name: " ".join(written.pop(name).split()) for name in ("gate", "at_once")}
    common = {name: text.format(**RULES) for name, text in common.items()}
    return {
        code: {name: " ".join(text.split()).format(**RULES, **common) for name, text in own.items()}
        for code, own in written.items()
    }


def page(code: str, own: Mapping[str, str]) -> str:
    """The page of a code."""
    kind = CODES[code]
    sections = [("What it means", own["means"]), ("How it is found", own["found"])]
    if "studied" in own:
        sections.append(("How it is found in studies", own["studied"]))
    sections += [("When it is wrong", own["wrong"]), ("What helps", own["helps"])]
    body = "".join(f"\n## {title}\n\n{text}\n" for title, text in sections)
    return (
        f"# {kind.title}\n\n`{code}` · {_kind(kind)} · [all findings](README.md)\n\n"
        f"![Without the fault and with it]({code}.svg)\n\n{caption(kind)}\n{body}"
    )


def _kind(kind: Code) -> str:
    where = " and ".join(
        name for name, here in (("trainings that are watched", kind.watched), ("studies", kind.studied)) if here
    )
    certain = ", certain" if kind.exact else ""
    return f"{'a warning' if kind.severity == 'warning' else 'for the record'} of {where}{certain}"


def caption(kind: Code) -> str:
    """What a picture shows."""
    when = "steps" if kind.watched else "epochs"
    spread = "untrained" if kind.watched else "at the end"
    return (
        f"Left: the loss over {when}, as a multiple of what the best constant answer has. Middle: the norm of the "
        "gradient of each matrix at the last of them, from the input on. Right: how far samples are apart behind each "
        f"function, {spread}. What is not finite is not drawn."
    )


def index() -> str:
    """The list of all codes."""
    lines = [HEAD, "| code | what it is | found in | |\n| --- | --- | --- | --- |\n"]
    for code, kind in CODES.items():
        where = " and ".join(name for name, here in (("watch", kind.watched), ("studies", kind.studied)) if here)
        certain = "certain" if kind.exact else "for the record" if kind.severity == "info" else "by measure"
        lines.append(f"| [{code}]({code}.md) | {kind.title} | {where} | {certain} |\n")
    return "".join(lines)


@dataclass
class Seen:
    """What a picture draws of a training: losses, gradients by matrix, and spreads by function."""

    name: str
    when: np.ndarray
    losses: np.ndarray
    gradients: Sequence[float]
    spreads: Sequence[float]


def watched(code: str) -> list[Seen]:
    """The two trainings of a code that is found of those that are watched."""
    from docs.findings_runs import RUNS
    from docs.findings_runs import course as course_of

    found = []
    for name, training in zip(("with the fault", "without it"), RUNS[code], strict=True):
        looks = training.looks()
        first = next((own["code"] for own in findings_of(looks) if own["severity"] == CODES[code].severity), None)
        if (first == code) != (name == "with the fault"):
            sys.exit(f"{code}: the training {name} has {first} found first")
        when, losses = course_of(looks)
        finite = [look for look in looks if all(np.isfinite(own.gradient_norm) for own in look.weights)] or looks
        gradients = [own.gradient_norm for own in finite[-1].weights]
        found.append(Seen(name, when, losses, gradients, [own.signal for own in looks[0].functions]))
    return found


def studied(code: str) -> list[Seen]:
    """The two activations, or networks, of a code that is found of studies alone."""
    import actlab
    from actlab.recording import Recording

    found = []
    for name, study in _studies(code):
        with tempfile.TemporaryDirectory() as folder:
            actlab.run(study, Path(folder) / "run")
            recording = Recording(Path(folder) / "run")
            constant = recording.objective.baseline(_shares(recording))  # pyright: ignore[reportOptionalCall]
            losses = recording.metrics["train_loss"][:, 0] / constant
            norms, spreads = (recording.probes[own][-1, 0] for own in ("weight_gradient_norm", "activation_std"))
            found.append(Seen(name, np.arange(len(losses)), losses, list(norms), list(spreads)))
    return found


def _shares(recording: Any) -> np.ndarray:
    counts = np.array(recording.facts["class_counts"], float)
    return counts / counts.sum()


def _studies(code: str) -> Iterator[tuple[str, Any]]:
    from actlab import Act, Conv, Dense, Flatten, Study

    wide = [Flatten(), Dense(32), Act(), Dense(32), Act(), Dense(10)]
    usual = {"task": "digits", "network": wide, "activations": ["relu"], "seeds": [0], "epochs": 8}
    match code:
        case "narrow_layer":
            narrow = [Flatten(), Dense(1), Act(), Dense(32), Act(), Dense(10)]
            pairs = ("with the fault", {"network": narrow}), ("without it", {})
        case "linear_depth":
            pairs = ("linear", {"activations": ["linear"]}), ("relu", {})
        case "first_convolution":
            image = [Conv(8), Act(), Flatten(), Dense(32), Act(), Dense(10)]
            pairs = ("sigmoid", {"network": image, "activations": ["sigmoid"]}), ("relu", {"network": image})
        case "only_regulariser":
            held = [Flatten(), Dense(32, l2=3.0), Act(), Dense(32, l2=3.0), Act(), Dense(10, l2=3.0)]
            pairs = ("with the fault", {"network": held}), ("without it", {})
        case "comes_apart":
            pairs = ("with the fault", {"learning_rates": [0.3]}), ("without it", {})
        case _:
            pairs = ("sigmoid", {"activations": ["sigmoid"]}), ("relu", {})
    for name, settings in pairs:
        yield name, Study(**(usual | settings))


def draw(seen: Sequence[Seen], path: Path, when: str) -> None:
    """The picture of a page: three panels, small, without text as outlines."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = {"svg.fonttype": "none", "svg.hashsalt": path.stem, "font.size": 8, "axes.spines.top": False,
             "axes.spines.right": False}  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=(7.2, 2.1), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        for own, colour, mark in zip(seen, ("#c0392b", "#2c7fb8"), ("o", "s"), strict=True):
            left.plot(own.when, _drawable(own.losses), color=colour, label=own.name, linewidth=1.4)
            for axes, values in ((middle, own.gradients), (right, own.spreads)):
                places = np.arange(1, len(values) + 1)
                few = {"marker": mark, "markersize": 3} if len(values) < 8 else {}
                axes.plot(places, _drawable(values), color=colour, linewidth=1, **few)
                axes.xaxis.get_major_locator().set_params(integer=True)
        left.axhline(1, color="0.6", linewidth=0.8, linestyle="--")
        for axes, title, below in (
            (left, "loss / constant answer's", when),
            (middle, "gradient norm", "matrix"),
            (right, "spread / size", "function"),
        ):
            axes.set_title(title, fontsize=8, loc="left")
            axes.set_xlabel(below)
            if axes is not left or max(np.nanmax(own.losses, initial=0.0) for own in seen) > FAR:
                axes.set_yscale("log")
            axes.minorticks_off()
        left.legend(frameon=False, fontsize=7)
        figure.savefig(path, metadata={"Date": None})


def _drawable(values: Any) -> np.ndarray:
    own = np.asarray(values, float)
    return np.where(np.isfinite(own) & (own > 0), own, np.nan)


def main() -> None:
    """Write all pages, or say which are not what they should be."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true")
    options.add_argument("codes", nargs="*", help="only the pictures of these")
    chosen = options.parse_args()
    pages = {f"{code}.md": page(code, own) for code, own in texts().items()} | {"README.md": index()}
    if chosen.check:
        wrong = [name for name, text in pages.items() if (FOLDER / name).read_text(encoding="utf-8") != text]
        if wrong:
            sys.exit(f"not as the rules are: {', '.join(wrong)}: python -m docs.findings_pages writes them anew")
        return
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    for code in chosen.codes or CODES:
        kind = CODES[code]
        draw(
            watched(code) if kind.watched else studied(code),
            FOLDER / f"{code}.svg",
            "step" if kind.watched else "epoch",
        )
        print(code, (FOLDER / f"{code}.svg").stat().st_size)


if __name__ == "__main__":
    main()
