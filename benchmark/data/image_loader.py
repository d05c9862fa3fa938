"""The image loader: threads read files, as PIL decodes and resizes outside Python's global lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmark.common.environment import cores
from benchmark.data import augmentation
from benchmark.data.images import ImageList
from benchmark.data.preprocessing import Preprocessing, array, read_image

Reading = Callable[[], np.ndarray]  # waits for pictures that threads are reading


class Loader:
    """Pictures of one size and preprocessing, by threads; the same bytes for any number of them."""

    def __init__(self, size: int, preprocess: Preprocessing, threads: int | None = None) -> None:
        self.size, self.preprocess = size, preprocess
        self.pool = ThreadPoolExecutor(threads or cores(), "loader")

    def fill(self, rows: np.ndarray, images: ImageList) -> None:
        """Write the pictures into `rows` (N, 3, S, S) uint8; InputError for the first bad file."""
        files = images.files()

        def read(row: int) -> None:
            rows[row] = self.preprocess.pixels(read_image(files[row]), self.size)

        for _ in self.pool.map(read, range(len(files))):
            pass  # in order, so the first error is the same for any number of threads

    def begin(
        self, images: ImageList, wanted: list[tuple[int, int]], augment: str, seed: int
    ) -> Reading:
        """Start to read views of pictures: `wanted` holds (row in the list, view).

        The result, called, waits for them and returns (B, 3, S, S) uint8.
        """
        steps = augmentation.parse(augment)

        def read(pair: tuple[int, int]) -> np.ndarray:
            row, view = pair
            dice = augmentation.dice_of(steps, images.paths[row], view, seed)
            picture = read_image(images.root / images.paths[row])
            return array(steps.view(picture, self.size, self.preprocess, dice))

        found = self.pool.map(read, wanted)
        return lambda: np.stack(list(found))

    def batches(
        self, images: ImageList, view: int, augment: str, seed: int, size: int
    ) -> Iterator[np.ndarray]:
        """One view of every picture, `size` at a time, the next ones read while one is in use."""
        wanted = [(row, view) for row in range(len(images))]
        parts = [wanted[start : start + size] for start in range(0, len(wanted), size)]
        ahead = [self.begin(images, part, augment, seed) for part in parts[:1]]
        for part in parts[1:]:
            ahead.append(self.begin(images, part, augment, seed))
            yield ahead.pop(0)()
        yield from (reading() for reading in ahead)
