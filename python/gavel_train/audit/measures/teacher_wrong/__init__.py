"""Teacher wrong: what does the grader do where the judge is wrong?"""

from gavel_train.audit.measure import Part

PART = Part(
    part="teacher_wrong",
    question="Does it track the truth where the judge is wrong?",
    meaning="Contestant against judge on rows of known truth; a row without a verdict is not right.",
    needs="verdicts of a judge about rows whose truth is known",
    order=30,
)
