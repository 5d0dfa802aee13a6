"""What the outputs of a network mean: the loss that training minimises, the decision, the metrics, the baseline."""

from actlab.objectives.classification import BINARY, CLASSES, OBJECTIVES, objective_for, outputs_for
from actlab.objectives.objective import PARTS, Metric, Objective, further

__all__ = ["BINARY", "CLASSES", "OBJECTIVES", "PARTS", "Metric", "Objective", "further", "objective_for", "outputs_for"]
