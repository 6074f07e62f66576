"""What is done to descriptors after training."""

import torch

from jepa_core.nn.whitening import Whitening


def test_a_new_whitening_leaves_unit_vectors_as_they_are():
    vectors = torch.nn.functional.normalize(torch.randn(5, 4), dim=1)
    torch.testing.assert_close(Whitening(4)(vectors), vectors)


def test_a_fitted_one_centres_and_turns_and_gives_unit_vectors():
    whitening = Whitening(2)
    whitening.set(torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 2.0], [1.0, 0.0]]))
    # (4, 4) - (1, 0) = (3, 4); by the matrix (4, 6); over its norm.
    torch.testing.assert_close(whitening(torch.tensor([[4.0, 4.0]])), torch.tensor([[4.0, 6.0]]) / 52**0.5)


def test_what_was_fitted_goes_with_the_weights():
    whitening, other = Whitening(3), Whitening(3)
    whitening.set(torch.randn(3), torch.randn(3, 3))
    other.load_state_dict(whitening.state_dict())
    vectors = torch.randn(4, 3)
    assert torch.equal(whitening(vectors), other(vectors))
