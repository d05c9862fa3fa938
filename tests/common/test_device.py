"""Rows of what lies on the device; a training step makes the host wait for nothing."""

from __future__ import annotations

import torch
from pytest import mark, param
from torch.optim.optimizer import register_optimizer_step_post_hook

from baselines.coop import CoOp
from baselines.dualcoop import DualCoOp
from baselines.finetune import Finetune
from benchmark.clip import resolve
from benchmark.clip.feature_cache import FeatureStore
from benchmark.clip.model import load
from benchmark.common.device import take_rows, to_device
from benchmark.method.run import Run
from hpdval.hpdval import HPDVAL
from tests.helpers import drawn_images

METHODS = {
    "coop": CoOp(epochs=1, context=4, batch_size=4, augment="none"),
    "dualcoop": DualCoOp(epochs=1, context=4, batch_size=4, local="tokens", augment="none"),
    "finetune": Finetune(epochs=1, batch_size=4),
    "stage 1": HPDVAL(stage1_epochs=1, stage2_epochs=0, batch_size=4),
    "stage 2": HPDVAL(stage1_epochs=0, stage2_epochs=1, batch_size=4),
}


def test_rows_are_those_of_indexing_and_what_is_there_is_not_moved():
    table, indices = torch.arange(12.0).reshape(6, 2), torch.tensor([3, 0, 3])
    assert torch.equal(take_rows(table, indices), table[indices])
    assert to_device(table, "cpu") is table


@mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@mark.parametrize("method", [param(method, id=name) for name, method in METHODS.items()])
def test_no_step_waits_for_a_gpu(method, tmp_path):
    """Between the first and the last of five steps, whatever waits raises an error."""
    model = load(resolve.resolve(None, "miniature"), "cuda")
    store, data = FeatureStore(model, tmp_path), drawn_images.images(tmp_path, 20)
    steps: list[int] = []  # of the training loop, not of what prepares it

    class Watched(Run):
        def generator(self, purpose):
            if purpose.startswith("batches"):
                steps.append(0)
            return super().generator(purpose)

    def after_step(*_):
        if steps:
            steps[0] += 1
            torch.cuda.set_sync_debug_mode("error" if steps[0] < 5 else "default")

    handle = register_optimizer_step_post_hook(after_step)
    try:
        method.fit(data, Watched(clip=model, store=store, device="cuda", identity="unit"))
    finally:
        handle.remove()
        torch.cuda.set_sync_debug_mode("default")
    assert steps == [5]
