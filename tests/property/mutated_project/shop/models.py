"""Types of parameters."""

from dataclasses import dataclass, field

from pydantic import BaseModel, Field, field_validator


@dataclass
class Basket:
    items: list[int] = field(default_factory=list)
    label: str = "basket"

    def size(self) -> int:
        return len(self.items)


class Limits(BaseModel):
    """How much there may be."""

    highest: int = Field(ge=0, description="the most")

    @field_validator("highest")
    @classmethod
    def within(cls, value: int) -> int:
        return min(value, 1000)
