"""What the outputs of a network mean: the loss that training minimises, the decision, the metrics, the baseline."""

from actlab.objectives.choosing import StatedLoss, objective_for, objective_named, outputs_for
from actlab.objectives.classification import BINARY, CLASSES
from actlab.objectives.derived import Derived, log_odds
from actlab.objectives.lead import ACCURACY, BALANCED, Lead, lead_among, lead_in, usual_lead
from actlab.objectives.objective import PARTS, Metric, Objective, Score, Spread, further
from actlab.objectives.own import known_metric, own_objective
from actlab.objectives.regression import Loss, regression
from actlab.objectives.several import SEVERAL, best_constant, f1_by_label

__all__ = [
    "ACCURACY",
    "BALANCED",
    "BINARY",
    "CLASSES",
    "PARTS",
    "SEVERAL",
    "Derived",
    "Lead",
    "Loss",
    "Metric",
    "Objective",
    "Score",
    "Spread",
    "StatedLoss",
    "best_constant",
    "f1_by_label",
    "further",
    "known_metric",
    "lead_among",
    "lead_in",
    "log_odds",
    "objective_for",
    "objective_named",
    "outputs_for",
    "own_objective",
    "regression",
    "usual_lead",
]
