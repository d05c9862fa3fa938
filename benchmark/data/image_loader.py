"""Reads image files with all cores: PIL decodes and resizes outside Python's one-thread lock."""

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
        view = self._view(images, augment, seed)
        read = self.pool.map(lambda pair: view(*pair), wanted)
        return lambda: np.stack(list(read))

    def batches(
        self, images: ImageList, view: int, augment: str, seed: int, size: int
    ) -> Iterator[np.ndarray]:
        """One view of every picture, `size` at a time, the next ones read while one is in use."""
        make = self._view(images, augment, seed)
        parts = [range(start, start + size) for start in range(0, len(images), size)]
        parts = [range(part.start, min(part.stop, len(images))) for part in parts]

        def read(part: range):
            return self.pool.map(lambda row: make(row, view), part)

        upcoming = [read(part) for part in parts[:1]]
        for part in [*parts[1:], range(0)]:
            current = upcoming.pop()
            upcoming.append(read(part))
            yield np.stack(list(current))

    def _view(self, images: ImageList, augment: str, seed: int) -> Callable[[int, int], np.ndarray]:
        steps = augmentation.parse(augment)

        def make(row: int, view: int) -> np.ndarray:
            path = images.paths[row]
            dice = augmentation.dice_of(steps, path, view, seed)
            picture = read_image(images.root / path)
            return array(steps.view(picture, self.size, self.preprocess, dice))

        return make
