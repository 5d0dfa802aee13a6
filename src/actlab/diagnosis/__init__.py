"""What is wrong with a training that is watched: findings from what was seen at its steps, a cause before what follows.

`exact`, `outputs` and `data` hold what is certain; `course` asks whether the network learns more than the best answer
that does not look at the input; `soft` holds what is said of those alone that do not; `judgement` hears look after look
and says what stands. The findings are those of a study (`actlab.statistics.findings`) as data, by the same codes
(`actlab.statistics.findings.codes`): code, severity, layer, step, sentence, evidence with thresholds, cause and help.
"""

from actlab.diagnosis.judgement import Finding, Judge, Verdict, before_training, findings_of, verdict_of

__all__ = ["Finding", "Judge", "Verdict", "before_training", "findings_of", "verdict_of"]
