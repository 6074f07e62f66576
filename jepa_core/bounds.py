"""Types of settings with the range that they may take; checked where a user changes them."""

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]
"""A whole number, at least one."""

Share = Annotated[float, Field(gt=0, lt=1)]
"""Part of a whole: more than nothing, less than all."""

Fraction = Annotated[float, Field(ge=0, le=1)]
"""0 to 1, both included."""

Weight = Annotated[float, Field(ge=0)]
"""Of a loss term; 0 switches it off."""

Positive = Annotated[float, Field(gt=0)]
"""More than nothing."""
