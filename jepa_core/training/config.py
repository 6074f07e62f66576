"""Settings of a training run."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field

from jepa_core.bounds import Count, Fraction, Positive, Weight


@dataclass(frozen=True)
class TrainingConfig:
    """The defaults are CR-JEPA's published recipe (section 4)."""

    epochs: Count = 400
    """Passes over the training pairs."""

    batch_size: Count = 512
    """Pairs in a batch, over all processes; all pairs where there are fewer."""

    micro_batch: Count | None = None
    """Pairs that go through the network at once in each process; None: as many as a batch has. Loss and gradient are
    those of the whole batch all the same, up to rounding; a batch in parts is encoded twice."""

    start_learning_rate: Positive = 1e-4
    """At the first step."""

    peak_learning_rate: Positive = 1e-3
    """At the end of the warm-up."""

    end_learning_rate: Positive = 1e-6
    """At the last step."""

    warmup_epochs: Annotated[int, Field(ge=0)] = 15
    """Epochs of linear rise; a cosine falls from there."""

    weight_decay: Weight = 0.04
    """AdamW's at the first step, on matrices only: not on biases, norms, positions and queries."""

    end_weight_decay: Weight = 0.04
    """At the last step; a cosine leads there."""

    momentum: Fraction = 0.996
    """Of target encoders at the first step (I-JEPA, X-JEPA); methods without one do not use it."""

    end_momentum: Fraction = 1.0
    """At the last step; a straight line leads there."""

    gradient_clip: Positive = 1.0
    """Largest norm of the gradient of each independent part of a method."""

    mixed_precision: bool = True
    """bfloat16 where the accelerator or the processor multiplies it. Losses over the batch are float32 always."""

    checkpoint_seconds: Weight = 20.0
    """What a killed run loses at most."""

    monitor_steps: Count = 20
    """Steps between two looks at the embeddings."""

    probe_steps: Count = 1000
    """Steps between two searches of labelled validation pairs, and one at the end; where there are labels."""

    least_spread: Weight = 0.01
    """Collapse is suspected where unit embeddings spread less: 1 is as far as they can, 0 is all in one point. Ours."""

    least_rank: Weight = 1.5
    """Likewise, of the effective rank, where the batch allows more. Ours."""

    patience: Count = 10
    """Looks in a row at which collapse is suspected that end the run. Ours."""

    @classmethod
    def tiny(cls, **changes: Any) -> "TrainingConfig":
        """Minutes on two CPU cores: 300 steps where there are no more than 32 pairs.

        Target encoders have a memory of some 20 steps: at 0.996 they would hardly have left their random start.
        """
        recipe = cls(
            epochs=300,
            batch_size=32,
            start_learning_rate=5e-5,
            peak_learning_rate=5e-4,
            warmup_epochs=30,
            momentum=0.95,
            checkpoint_seconds=10.0,
            probe_steps=100,
        )
        return replace(recipe, **changes)

    @classmethod
    def small(cls, **changes: Any) -> "TrainingConfig":
        """Hours on one accelerator with some ten thousand pairs."""
        recipe = cls(epochs=100, batch_size=256, start_learning_rate=5e-5, peak_learning_rate=5e-4, warmup_epochs=10)
        return replace(recipe, **changes)

    def for_epochs(self, epochs: int) -> "TrainingConfig":
        """The same recipe over another number of epochs, at least one, the warm-up keeping its share."""
        return replace(self, epochs=epochs, warmup_epochs=round(self.warmup_epochs * epochs / self.epochs))
