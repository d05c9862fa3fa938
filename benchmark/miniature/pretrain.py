"""Pretraining of the miniature CLIP from scratch: python -m benchmark.miniature.pretrain."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from benchmark.common import environment
from benchmark.common.files import atomic
from benchmark.miniature import banks, concepts, pretraining_pairs, scenes
from benchmark.miniature.pretraining_pairs import CAPTIONS, LENGTH, Pairs

FOLDER = Path(__file__).with_name("clip")
_FILLERS = 4096  # how many vocabulary entries serve as meaningless words in front of captions


def main(arguments: list[str] | None = None) -> None:
    """Render the pairs, train with checkpoints, write open_clip's local-dir files."""
    options = _parse(arguments)
    torch.manual_seed(options.seed)
    torch.set_num_threads(os.cpu_count() or 1)
    options.work.mkdir(parents=True, exist_ok=True)
    pairs = pretraining_pairs.render(options.work / "web", options.pairs)
    model, vocabulary, fillers = _build(pairs, options.seed)
    Trainer(model, vocabulary, fillers, pairs, options).run()
    export(model, vocabulary, options.out)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmark.miniature.pretrain")
    add, work = parser.add_argument, environment.cache() / "pretrain"
    add("--work", type=Path, default=work, help="pairs, checkpoints")
    add("--out", type=Path, default=FOLDER, help="where the weights go")
    add("--pairs", type=int, default=320_000, help="multiple of 20,000")
    add("--steps", type=int, default=4000)
    add("--batch", type=int, default=256)
    add("--lr", type=float, default=1e-3)
    add("--decay", type=float, default=0.25, help="last share of steps: lr to 0")
    add("--local-weight", type=float, default=0.3, help="of the patches' loss")
    add("--local-from", type=float, default=0.625, help="share of steps before it")
    add("--seed", type=int, default=0)
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--compile", action=argparse.BooleanOptionalAction, default=False)
    return parser.parse_args(arguments)


def _build(pairs: Pairs, seed: int) -> tuple[open_clip.CLIP, np.ndarray, np.ndarray]:
    """The model with an embedding of only the ids in use; those ids, ascending; the fillers."""
    config = json.loads((FOLDER / "open_clip_config.json").read_text())["model_cfg"]
    model = open_clip.CLIP(**config)
    spoken = np.unique(pairs.tokens)
    silent = np.setdiff1d(np.arange(512, 49_000), spoken)
    fillers = np.random.default_rng([seed, 5]).choice(silent, size=_FILLERS, replace=False)
    vocabulary = np.union1d(spoken, fillers)
    model.token_embedding = torch.nn.Embedding(len(vocabulary), config["text_cfg"]["width"])
    torch.nn.init.normal_(model.token_embedding.weight, std=0.02)
    model.visual.output_tokens = True
    return model, vocabulary, fillers


class Trainer:
    """Contrastive training with warm-up, constant rate and a linear decay at the end.

    Towards the end the mean of the patches is held to the caption too, with a smaller weight:
    a tower this small would else keep what is where to itself, unlike CLIP's large ones.
    """

    def __init__(self, model, vocabulary, fillers, pairs: Pairs, options) -> None:
        self.model, self.options = model.to(options.device), options
        self.rows = rows = np.zeros(49_408, np.int64)
        rows[vocabulary] = np.arange(len(vocabulary))  # ascending, so EOS stays the largest
        self.pictures = torch.from_numpy(pairs.pictures).to(options.device)  # 28 kB each
        self.tokens = torch.from_numpy(rows[pairs.tokens])
        self.fillers = rows[fillers]
        self.start, self.end = int(rows[49_406]), int(rows[49_407])
        decayed = [p for n, p in model.named_parameters() if p.ndim > 1 and "embedding" not in n]
        plain = [p for n, p in model.named_parameters() if p.ndim <= 1 or "embedding" in n]
        groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=options.lr, betas=(0.9, 0.98), fused=True)
        self.visual = torch.compile(model.visual) if options.compile else model.visual
        self.step = 0
        self.mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN, device=options.device)
        self.std = torch.tensor(open_clip.OPENAI_DATASET_STD, device=options.device)
        self.probe = _Probe()

    def run(self) -> None:
        """Train to the last step, from the last checkpoint if there is one."""
        checkpoint = self.options.work / "checkpoint.pt"
        if checkpoint.exists():
            self._restore(torch.load(checkpoint, weights_only=True))
        began, smooth = time.time(), None
        while self.step < self.options.steps:
            loss = self._train_step()
            smooth = loss if smooth is None else smooth.lerp(loss, 0.02)
            self.step += 1
            if self.step % 100 == 0:
                print(f"step {self.step} loss {smooth:.3f} {time.time() - began:.0f} s", flush=True)
            if self.step % 500 == 0 or self.step == self.options.steps:
                print(f"step {self.step} {self.probe(self)}", flush=True)
                if self._rate() == 1.0:  # so that a longer run may start before the decay
                    self._save(checkpoint)
                self._save(self.options.work / "last.pt")

    def _train_step(self) -> torch.Tensor:
        rate = self._rate() * min(1.0, (self.step + 1) / 300)
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.lr * rate
        pictures, tokens = self._batch()
        with torch.autocast(pictures.device.type, dtype=torch.bfloat16):
            whole, patches = self.visual(pictures)
            text = self.encode_text(tokens)
            patches = patches.mean(dim=1) @ self.model.visual.proj
        loss = self._contrast(whole, text)
        if self.step >= self.options.local_from * self.options.steps:
            loss = loss + self.options.local_weight * self._contrast(patches, text)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, math.log(100))
        return loss.detach()  # not yet waited for

    def _contrast(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """CLIP's symmetric cross entropy of a batch of features (B, D)."""
        image, text = F.normalize(image.float(), dim=-1), F.normalize(text.float(), dim=-1)
        logits = self.model.logit_scale.exp() * image @ text.T
        target = torch.arange(len(logits), device=logits.device)
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2

    def _rate(self) -> float:
        left = (self.options.steps - self.step) / (self.options.decay * self.options.steps)
        return min(1.0, left)

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures, normalised (B, 3, 96, 96), and tokens (B, T): a pure function of the step."""
        size, device = self.options.batch, self.options.device
        epoch, position = divmod(self.step, len(self.pictures) // size)
        chosen = self._order(epoch)[position * size : (position + 1) * size]
        rng = np.random.default_rng([self.options.seed, 3, self.step])
        captions = self.tokens[chosen, torch.from_numpy(rng.integers(CAPTIONS, size=size))]
        tokens = self._with_fillers(captions.numpy(), rng)
        pictures = self.pictures[chosen.to(device, non_blocking=True)]
        return self._augment(pictures, rng), torch.from_numpy(tokens).to(device, non_blocking=True)

    @lru_cache(maxsize=1)  # noqa: B019, one trainer to a process
    def _order(self, epoch: int) -> torch.Tensor:
        rng = np.random.default_rng([self.options.seed, 2, epoch])
        return torch.from_numpy(rng.permutation(len(self.pictures)))

    def _augment(self, pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Half of the batch mirrored, all of it shifted by up to 8 pixels; normalised."""
        x = self.normalise(pictures)
        half = len(x) // 2
        x = torch.cat([x[:half].flip(3), x[half:]])
        x = F.pad(x, (8, 8, 8, 8), mode="replicate")
        top, left = rng.integers(0, 17, 2)
        return x[:, :, top : top + scenes.SIDE, left : left + scenes.SIDE].contiguous()

    def normalise(self, pictures: torch.Tensor) -> torch.Tensor:
        """The tower's input (B, 3, S, S) of pictures (B, S, S, 3) uint8."""
        return ((pictures / 255.0 - self.mean) / self.std).permute(0, 3, 1, 2)

    def _with_fillers(self, tokens: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Random words in front of half of the captions, so that learned contexts are bearable.

        tokens (B, LENGTH) to (B, T). Up to 16 words; in one batch of 16 up to 60, so that late
        positions are trained too.
        """
        size, length = len(tokens), int((tokens != 0).sum(1).max())
        limit = min(60 if rng.random() < 1 / 16 else 16, 77 - length)
        counts = np.where(rng.random(size) < 0.5, rng.integers(1, limit + 1, size), 0)[:, None]
        words = rng.choice(self.fillers, (size, limit))
        place = np.arange(length + limit)[None, :]
        source = np.where(place > counts, place - counts, 0)  # of a caption's token, shifted
        inside = source < length
        shifted = np.take_along_axis(tokens, np.where(inside, source, 0), axis=1) * inside
        before = np.pad(words, ((0, 0), (1, length - 1)))
        result = np.where((place >= 1) & (place <= counts), before, shifted)
        result[:, 0] = self.start
        return result

    def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, T) rows of the reduced vocabulary to (B, D); T may be shorter than the context."""
        model, length = self.model, tokens.shape[1]
        x = model.token_embedding(tokens) + model.positional_embedding[:length]
        x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
        x = model.ln_final(x)[torch.arange(len(x)), tokens.argmax(dim=1)]
        return x @ model.text_projection

    def _save(self, path: Path) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }
        with atomic(path) as temporary:
            torch.save(state, temporary)

    def _restore(self, state: dict) -> None:
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]


class _Probe:
    """Zero-shot AP on 600 fresh pictures of the benchmark style (never used for training)."""

    def __init__(self, count: int = 600) -> None:
        rng = np.random.default_rng(99)
        self.names = names = list(concepts.load())
        sprite_bank = banks.draw(6, banks.PROBE)
        self.labels = np.zeros((count, len(names)), np.int64)
        pictures = []
        for row in self.labels:
            chosen = rng.choice(len(names), 1 + rng.poisson(3), replace=False)
            row[chosen] = 1
            scene = scenes.compose([names[i] for i in chosen], scenes.BENCHMARK, sprite_bank, rng)
            pictures.append(np.asarray(scene[0]))
        self.pictures = torch.from_numpy(np.stack(pictures))

    @torch.no_grad()
    def __call__(self, trainer: Trainer) -> str:
        from sklearn.metrics import average_precision_score

        model, device = trainer.model, trainer.options.device
        tokenize = open_clip.SimpleTokenizer(context_length=LENGTH)
        ids = tokenize([f"a photo of a {name}." for name in self.names]).numpy()
        tokens = torch.from_numpy(trainer.rows[ids]).to(device)
        text = F.normalize(trainer.encode_text(tokens), dim=-1)
        parts = trainer.normalise(self.pictures.to(device)).split(100)
        views = [model.visual(part) for part in parts]
        image = F.normalize(torch.cat([v[0] for v in views]), dim=-1)
        patch = F.normalize(torch.cat([v[1] for v in views]) @ model.visual.proj, dim=-1)
        scores = {
            "global": image @ text.T,
            "softmax": (100 * image @ text.T).softmax(dim=1),
            "top-6 patches": (patch @ text.T).topk(6, dim=1).values.mean(dim=1),
        }
        return "  ".join(
            f"{kind} {100 * average_precision_score(self.labels, s.cpu().numpy()):.1f}"
            for kind, s in scores.items()
        )


def export(model: open_clip.CLIP, vocabulary: np.ndarray, folder: Path) -> None:
    """Write open_clip's `local-dir:` weights: the full vocabulary, unused rows zero, float16."""
    state = {k: v.detach().cpu().half().contiguous() for k, v in model.state_dict().items()}
    table = torch.zeros(49_408, state["token_embedding.weight"].shape[1], dtype=torch.float16)
    table[torch.from_numpy(vocabulary).long()] = state["token_embedding.weight"]
    state["token_embedding.weight"] = table
    state.pop("attn_mask", None)
    with atomic(folder / "open_clip_model.safetensors") as temporary:
        save_file(state, temporary)
        temporary.chmod(0o644)


if __name__ == "__main__":
    main()
