"""What a recording says: estimates with intervals, paired comparisons, and the summary of it all."""

from actlab.statistics.best import chances_of_best
from actlab.statistics.comparisons import (
    Comparison,
    compare,
    holm,
    rank_biserial,
    signed_rank_p,
    signed_ranks,
)
from actlab.statistics.intervals import Estimate, estimate, mean_interval, unseen_share
from actlab.statistics.published import compare_published, verdict
from actlab.statistics.selection import Reported, last, reported
from actlab.statistics.sentences import headline
from actlab.statistics.summary import json_safe, ranking, summarise
from actlab.statistics.time_to_target import TimeToTarget, first_epoch, learned_epoch, time_to_target

__all__ = [
    "Comparison",
    "Estimate",
    "Reported",
    "TimeToTarget",
    "chances_of_best",
    "compare",
    "compare_published",
    "estimate",
    "first_epoch",
    "headline",
    "holm",
    "json_safe",
    "last",
    "learned_epoch",
    "mean_interval",
    "rank_biserial",
    "ranking",
    "reported",
    "signed_rank_p",
    "signed_ranks",
    "summarise",
    "time_to_target",
    "unseen_share",
    "verdict",
]
