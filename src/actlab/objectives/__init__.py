"""What the outputs of a network mean: the loss that training minimises, the decision, the metrics, the baseline."""

from actlab.objectives.classification import BINARY, CLASSES, OBJECTIVES, objective_for, outputs_for
from actlab.objectives.lead import ACCURACY, BALANCED, Lead, lead_among, lead_in, usual_lead
from actlab.objectives.objective import PARTS, Metric, Objective, further

__all__ = [
    "ACCURACY",
    "BALANCED",
    "BINARY",
    "CLASSES",
    "OBJECTIVES",
    "PARTS",
    "Lead",
    "Metric",
    "Objective",
    "further",
    "lead_among",
    "lead_in",
    "objective_for",
    "outputs_for",
    "usual_lead",
]
