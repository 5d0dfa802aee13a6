"""What a recording says: estimates with intervals, paired comparisons, and the summary of it all."""

from actlab.statistics.intervals import unseen_share
from actlab.statistics.published import verdict
from actlab.statistics.selection import Reported, reported
from actlab.statistics.summary import summarise

__all__ = ["Reported", "reported", "summarise", "unseen_share", "verdict"]
