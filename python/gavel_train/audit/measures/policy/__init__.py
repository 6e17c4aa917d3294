"""Policy: did training improve the policy?"""

from gavel_train.audit.measure import Part

PART = Part(
    part="policy",
    question="Did training improve the policy?",
    meaning="What the verifier, not a grader, says of the policy's completions of held-out "
    "prompts, and of the problems of each further task that the spec lists in task.evaluate_on.",
    needs="held-out prompts whose truth is known",
    order=60,
)
