"""Images shared out to training and test by iterative stratification: rare classes get to both.

The algorithm is that of Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label
data", ECML PKDD 2011, for two parts. The class with the fewest images left is dealt out first, each
image to the part that wants more of the class, else to the part that has more room. Ours: ties that
are left go to the lower class and to training, not to chance; a class with two or more images wants
one at least in each part (of two images and a fifth to test, the paper's puts both in training);
and where rarer classes have kept it from that, one image changes sides if no other class minds.

Rows are sparse: time and memory grow with the labels there are. The library that does it
(iterative-stratification 0.1.9) sums a dense matrix for every class.
"""

from __future__ import annotations

from benchmark.data.own.shuffle import holders, shuffled
from benchmark.data.splits import Row

_TRAIN, _TEST = 0, 1


def stratified(
    rows: tuple[Row, ...], classes: int, share: float, seed: int
) -> tuple[list[Row], list[Row]]:
    """(training rows, test rows), each sorted; `share`, between 0 and 1, of them are for the test.

    A class with two or more images has one in each part, unless all its images are the last of
    some other class. One with a single image has it in training.
    """
    rows = shuffled(rows, seed, "test part")
    images = holders(rows, classes)
    parts = _Parts(rows, [len(each) for each in images], share)
    waiting = {k for k in range(classes) if images[k]}
    while waiting:
        rarest = min(waiting, key=lambda k: (parts.left[k], k))
        waiting.remove(rarest)
        for n in images[rarest]:
            parts.place(n, parts.wanted[rarest])
    for n in range(len(rows)):
        parts.place(n, parts.room)
    for each in images:
        parts.spread(each)
    sides = [
        sorted(r for r, side in zip(rows, parts.side, strict=True) if side == p) for p in (0, 1)
    ]
    return sides[_TRAIN], sides[_TEST]


class _Parts:
    """Who is where, and what each part still wants: of each class, and of images in all."""

    def __init__(self, rows: list[Row], sizes: list[int], share: float) -> None:
        self.rows, self.left = rows, list(sizes)
        self.side: list[int | None] = [None] * len(rows)
        self.room = [len(rows) * (1 - share), len(rows) * share]
        test = [min(max(n * share, 1), n - 1) for n in sizes]
        self.wanted = [[n - most, most] for n, most in zip(sizes, test, strict=True)]
        self.held = [[0, 0] for _ in sizes]

    def place(self, n: int, wish: list[float]) -> None:
        """Give an image that is nowhere yet to the part with the larger wish."""
        if self.side[n] is not None:
            return
        side = max((_TRAIN, _TEST), key=lambda part: (wish[part], self.room[part]))
        self.side[n] = side
        self.room[side] -= 1
        for k in self.rows[n][1]:
            self.left[k] -= 1
            self.wanted[k][side] -= 1
            self.held[k][side] += 1

    def spread(self, images: list[int]) -> None:
        """If all images of a class are in one part: move one that no other class would miss."""
        sides = {self.side[n] for n in images}
        if len(sides) != 1 or len(images) < 2:
            return
        (side,) = sides
        spare = (n for n in images if all(self.held[k][side] > 1 for k in self.rows[n][1]))
        for n in list(spare)[:1]:
            self.side[n] = 1 - side
            for k in self.rows[n][1]:
                self.held[k][side] -= 1
                self.held[k][1 - side] += 1
