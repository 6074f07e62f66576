"""Settings of a training run."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class TrainingConfig:
    """The defaults are CR-JEPA's published recipe (section 4), but for mixed precision, which is not used yet."""

    epochs: int = 400
    """Passes over the training pairs."""

    batch_size: int = 512
    """Pairs in a batch; all of them where there are fewer."""

    start_learning_rate: float = 1e-4
    """At the first step."""

    peak_learning_rate: float = 1e-3
    """At the end of the warm-up."""

    end_learning_rate: float = 1e-6
    """At the last step."""

    warmup_epochs: int = 15
    """Epochs of linear rise; a cosine falls from there."""

    weight_decay: float = 0.04
    """AdamW's, on matrices only: not on biases, norms, positions and queries."""

    gradient_clip: float = 1.0
    """Largest norm of the whole gradient."""

    checkpoint_seconds: float = 20.0
    """What a killed run loses at most."""

    monitor_steps: int = 20
    """Steps between two looks at the embeddings."""

    def for_epochs(self, epochs: int) -> "TrainingConfig":
        """The same recipe over another number of epochs, the warm-up keeping its share.

        Raises:
            ValueError: fewer than one epoch.
        """
        if epochs < 1:
            raise ValueError(f"cannot train for {epochs} epochs")
        return replace(self, epochs=epochs, warmup_epochs=round(self.warmup_epochs * epochs / self.epochs))
