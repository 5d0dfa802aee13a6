"""What was found in networks while they trained in a loop of a user's own, activation by activation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actlab.recording import Recording
from actlab.statistics.findings.finding import Finding
from actlab.statistics.selection import Reported
from actlab.wording import counted


def judged(recording: Recording, entry: Reported) -> list[Finding]:
    """The warnings that more than half of an activation's networks share, in the words of the first that has each."""
    told: Mapping[str, Any] = (recording.facts.get("judged") or {}).get(entry.activation, {})
    by_code: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for member in entry.members:
        for own in told.get(str(member.seed), {}).get("findings", ()):
            if own["severity"] == "warning":
                by_code.setdefault(own["code"], []).append((member.seed, own))
    often = {code: found for code, found in by_code.items() if len(found) > len(entry.members) / 2}
    return [_finding(entry, found, often) for found in often.values()]


def _finding(entry: Reported, found: list[tuple[int, Mapping[str, Any]]], told: Mapping[str, Any]) -> Finding:
    seed, first = found[0]
    of = f"with {len(found)} of {counted(len(entry.members), 'seed')}, of which seed {seed}: "
    return {
        **first,
        "activation": entry.activation,
        "sentence": f"{entry.activation}{', ' if len(entry.members) > 1 else ': '}"
        f"{of if len(entry.members) > 1 else ''}{first['sentence']}",
        "evidence": {**(first.get("evidence") or {}), "seeds": [seed for seed, _ in found]},
        "cause": first.get("cause") if first.get("cause") in told else None,
    }
