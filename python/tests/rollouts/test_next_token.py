import torch
from scipy.stats import chisquare

from gavel_train.rollouts.next_token import draw


def test_draws_follow_the_probabilities_over_more_than_one_block_and_never_hit_a_zero():
    torch.manual_seed(0)
    probabilities = torch.zeros(300)
    probabilities[torch.tensor([0, 5, 127, 128, 200, 299])] = torch.tensor([0.3, 0.05, 0.2, 0.1, 0.15, 0.2])
    draws = draw(probabilities.expand(50_000, -1))
    counts = torch.bincount(draws, minlength=300)
    hit = probabilities > 0
    assert counts[~hit].sum() == 0
    assert (
        chisquare(counts[hit].numpy(), (probabilities[hit].double() * 50_000).numpy(), sum_check=False).pvalue
        > 1e-4
    )


def test_the_largest_uniform_number_draws_the_last_token_that_can_be_drawn(monkeypatch):
    probabilities = torch.rand(64, 1000, generator=torch.Generator().manual_seed(1))
    probabilities[:, 900:] = 0
    monkeypatch.setattr(
        torch, "rand", lambda *size, **options: torch.full(size, 1 - 2.0**-53, dtype=torch.float64)
    )
    drawn = draw(probabilities / probabilities.sum(-1, keepdim=True))
    assert (drawn == 899).all()
