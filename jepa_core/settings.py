"""Where the archive lies and where everything that is produced goes."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment; each has a default, so that nothing need be set."""

    model_config = SettingsConfigDict(env_prefix="JEPA_", frozen=True, env_ignore_empty=True)

    archive: Path | None = None
    """JEPA_ARCHIVE: root of the scenes that the user holds. Unset: the sample, fetched on demand."""

    data: Path = Path("data")
    """JEPA_DATA: folder of all that is produced. A relative path counts from the working folder."""

    settle_seconds: float = Field(default=10.0, ge=0)
    """JEPA_SETTLE_SECONDS: for so long a place in the archive must not have changed before it is read."""
