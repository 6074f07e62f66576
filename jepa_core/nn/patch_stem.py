"""From patches to tokens by a few layers, no token seeing over the edges of its patch."""

from math import prod

from torch import Tensor, nn

_MOST_LAYERS = 3
"""As many as the published stem has."""


class PatchStem(nn.Module):
    """Convolutions whose windows do not overlap, with batch norm between them.

    Touvron et al. 2022, "Three things everyone should know about Vision Transformers" (arXiv 2203.09795), section 5
    ("hMLP"): what a masked token holds never reaches a visible one, so that methods that mask can have it. Batch
    norm, and not layer norm, keeps how bright a patch is.
    """

    def __init__(self, bands: int, patch_size: int, width: int) -> None:
        """Random weights, from torch's global generator.

        Args:
            bands: of an image.
            patch_size: side of a token, pixels.
            width: features of a token; divisible by 4 where a patch is reached in several layers.
        """
        super().__init__()
        layers: list[nn.Module] = []
        sides = window_sides(patch_size)
        given = bands
        for number, side in enumerate(sides, start=1):
            last = number == len(sides)
            made = width if last else width // 4
            layers.append(nn.Conv2d(given, made, side, stride=side))
            if not last:
                layers += [nn.BatchNorm2d(made), nn.GELU()]
            given = made
        self.layers = nn.Sequential(*layers)
        # Over tokens in a row: for a single image, whose gradient comes with the features last, torch 2.15 takes the
        # gradient of a norm over maps wrongly.
        self.norm = nn.BatchNorm1d(width)
        self.initialise()

    def initialise(self) -> None:
        """Weights that keep the spread of what comes in (He et al. 2015): also an untrained stem shows its input."""
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """Images (batch, bands, y, x), of sides that the patch size divides, to (batch, tokens, width)."""
        tokens: Tensor = self.layers(images).flatten(2).transpose(1, 2)
        normed: Tensor = self.norm(tokens.flatten(0, 1))
        return normed.reshape(tokens.shape)


def window_sides(patch_size: int) -> tuple[int, ...]:
    """Sides of the layers' windows, whose product is the patch size: its prime factors, the first ones as one.

    16 gives 4, 2 and 2, as published.
    """
    factors, left, factor = [], patch_size, 2
    while left > 1:
        while left % factor == 0:
            factors.append(factor)
            left //= factor
        factor += 1
    first = max(len(factors) - _MOST_LAYERS + 1, 1)
    return (prod(factors[:first]), *factors[first:])
