"""Classes."""

from shop.settings import Grade


class Base:
    grade = Grade.LOW

    def __init__(self, items: list[int]) -> None:
        self.items = items

    def keep(self, item: int) -> bool:
        return item >= self.grade.value

    def unrelated_to_the_order(self) -> int:
        return 1


class Ranker(Base):
    reverse = True
    weight = 1

    @property
    def factor(self) -> int:
        return self.weight

    @staticmethod
    def sign(item: int) -> int:
        return item

    def order(self) -> list[int]:
        return sorted((self.sign(item) * self.factor for item in self.items if self.keep(item)), reverse=self.reverse)
