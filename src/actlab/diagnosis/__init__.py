"""What is wrong with a training that is watched: findings from what was seen at its steps, a cause before what follows.

`exact` holds what is certain and needs no threshold; `course` asks whether the network learns more than the best answer
that does not look at the input; `soft` holds what is said of those alone that do not. The findings are those of a study
(`actlab.statistics.findings`) as data: code, severity, layer, sentence, evidence, cause and help, and the step.
"""

from actlab.diagnosis.judgement import Finding, findings_of

__all__ = ["Finding", "findings_of"]
