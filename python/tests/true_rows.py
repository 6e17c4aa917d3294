from gavel_train.contracts import PromptRow


def true_row(truth, **meta):
    """A row with a known answer."""
    return PromptRow(id="r1", prompt="a question", ground_truth=truth, meta=meta)
