"""Where the archive lies and where everything that is produced goes."""

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from jepa_core.remote.address import copy_folder, is_address


class Settings(BaseSettings):
    """Read from the environment; each has a default, so that nothing need be set."""

    model_config = SettingsConfigDict(env_prefix="JEPA_", frozen=True, env_ignore_empty=True)

    archive: Path | None = None
    """JEPA_ARCHIVE: root of the scenes that the user holds. Unset: the sample, fetched on demand."""

    data: Path | str = Path("data")
    """JEPA_DATA: folder of all that is produced; a relative path counts from the working folder. Or an address in
    object storage (`s3://bucket/prefix`), which alone is text."""

    cache: Path = Path("~/.cache/jepa")
    """JEPA_CACHE: folder of this machine's copies of data roots in object storage."""

    settle_seconds: float = Field(default=10.0, ge=0)
    """JEPA_SETTLE_SECONDS: for so long a place in the archive must not have changed before it is read."""

    @field_validator("data", mode="before")
    @classmethod
    def _path_or_address(cls, data: Any) -> Any:
        # A path would make one slash of the address's two.
        return data if is_address(data) else Path(data)

    @property
    def data_folder(self) -> Path:
        """Folder of all that is produced; of an address, this machine's copy."""
        return copy_folder(self.cache, self.data) if isinstance(self.data, str) else self.data
