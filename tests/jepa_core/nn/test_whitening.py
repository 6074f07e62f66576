"""What is done to descriptors after training."""

import torch

from jepa_core.nn.whitening import Whitening


def test_until_it_is_fitted_vectors_stay_as_they_are():
    vectors = torch.randn(5, 4)
    assert torch.equal(Whitening()(vectors), vectors)


def test_a_fitted_one_centres_and_turns_and_gives_unit_vectors():
    whitening = Whitening()
    whitening.set(torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 2.0], [1.0, 0.0]]))
    # (4, 4) - (1, 0) = (3, 4); by the matrix (4, 6); over its norm.
    torch.testing.assert_close(whitening(torch.tensor([[4.0, 4.0]])), torch.tensor([[4.0, 6.0]]) / 52**0.5)


def test_what_was_fitted_goes_with_the_weights():
    whitening, other = Whitening(), Whitening()
    whitening.set(torch.randn(3), torch.randn(3, 2))
    other.load_state_dict(whitening.state_dict())
    vectors = torch.randn(4, 3)
    assert torch.equal(whitening(vectors), other(vectors))
    assert other(vectors).shape == (4, 2)


def test_weights_from_before_the_fit_take_it_back():
    fitted, vectors = Whitening(), torch.randn(4, 3)
    fitted.set(torch.randn(3), torch.randn(3, 2))
    fitted.load_state_dict(Whitening().state_dict())
    assert torch.equal(fitted(vectors), vectors)
