"""The fast text encoding against the references' way and against open_clip itself."""

import copy

import pytest
import torch
from torch.testing import assert_close

from baselines.coop import CoOp
from baselines.dualcoop import DualCoOp
from baselines.lmpt import LMPT
from baselines.taidpt import TaIDPT
from benchmark.clip import resolve
from benchmark.clip.packing import Packing
from benchmark.clip.prompts import PromptEncoder, encode_template, initial_context
from benchmark.common.errors import InputError
from benchmark.records import store
from benchmark.runner import devices, unit_process
from benchmark.runner.job import Job
from tests.helpers import drawn_images, prompt_task, text_towers

MIXED = ("traffic light", "dog", "a very long name of seven words", "hot_dog", "tvmonitor", "cat")
SETS = {"mixed": MIXED, "one": ("traffic light",), "equal": ("dog", "cat", "car")}
KINDS = {  # how contexts are encoded, and their shape before (M, W); 0 stands for C
    "shared": ("__call__", ()),
    "several": ("several", (2,)),
    "per image": ("several", (3,)),
    "class-specific": ("__call__", (0,)),
    "several class-specific": ("several", (2, 0)),
}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def both(clip, names, kind, length):
    """Features and context gradients by the fast road, then by the plain one."""
    how, shape = KINDS[kind]
    start = text_towers.contexts(clip, *(n or len(names) for n in shape), length)
    found = []
    for plain in (False, True):
        context = start.detach().clone().requires_grad_()
        features = getattr(PromptEncoder(clip, names, plain), how)(context)
        features.sin().sum().backward()
        found.append((features.detach(), context.grad))
    return found


def differences(fast, plain):
    """The largest differences of features and gradients, by the largest entry of each."""
    pairs = list(zip(fast, plain, strict=True))
    assert all(ours.shape == theirs.shape for ours, theirs in pairs)
    return [float((a - b).abs().max() / b.abs().max()) for a, b in pairs]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tower", text_towers.TOWERS)
@pytest.mark.parametrize("double", [True, False], ids=["float64", "float32"])
def test_the_fast_road_is_exact_in_value_and_gradient(tower, kind, double):
    clip = text_towers.clip(tower, double)
    tolerance = 1e-10 if double else 1e-5
    assert max(differences(*both(clip, MIXED[:3], kind, 4))) <= tolerance


@pytest.mark.parametrize("length", [1, 16, 60])
@pytest.mark.parametrize("names", SETS)
@pytest.mark.parametrize("kind", KINDS)
def test_so_it_is_for_other_contexts_and_names(kind, names, length):
    clip = text_towers.clip("miniature", double=True)
    assert max(differences(*both(clip, SETS[names], kind, length))) <= 1e-10


def test_a_list_of_contexts_is_a_stack_of_them():
    clip = text_towers.clip("miniature", double=True)
    encoder, many = PromptEncoder(clip, MIXED), text_towers.contexts(clip, 3, 4)
    found = encoder.several(list(many))
    assert torch.equal(found, encoder.several(many))
    for one, context in zip(found, many, strict=True):
        assert_close(one, encoder(context), rtol=1e-10, atol=1e-12)


def test_contexts_of_different_lengths_are_encoded_one_by_one():
    clip = text_towers.clip("miniature", double=True)
    encoder, many = PromptEncoder(clip, MIXED), [text_towers.contexts(clip, n) for n in (2, 6)]
    assert torch.equal(encoder.several(many), torch.stack([encoder(context) for context in many]))


def test_a_class_specific_context_of_equal_rows_is_the_shared_one():
    clip = text_towers.clip("miniature", double=True)
    encoder, context = PromptEncoder(clip, MIXED), text_towers.contexts(clip, 8)
    each = encoder(context.expand(len(MIXED), -1, -1))
    assert_close(each, encoder(context), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("plain", [True, False])
def test_the_words_of_a_template_as_context_are_what_open_clip_encodes(plain):
    clip = text_towers.clip("miniature", double=True)
    context = initial_context(clip, 0, None, "a photo of a")
    ours = PromptEncoder(clip, MIXED, plain)(context)
    told = [f"a photo of a {name.replace('_', ' ')}." for name in MIXED]
    with torch.no_grad():
        expected = clip.model.encode_text(clip.tokenizer(told))
    assert_close(ours, expected, rtol=1e-10, atol=1e-12)


TEMPLATES = ("a photo of a {}.", "{}", "{} in a photo.", "nothing", 90 * "word " + "{}")


@pytest.mark.parametrize("names", SETS)
@pytest.mark.parametrize("template", TEMPLATES, ids=range(len(TEMPLATES)))
def test_a_fixed_prompt_is_encoded_as_open_clip_does(template, names):
    """Also where nothing is shared, or all; and cut after 77 tokens."""
    clip = text_towers.clip("miniature", double=True)
    prompts = [template.format(name.replace("_", " ")) for name in SETS[names]]
    with torch.no_grad():
        expected = clip.model.encode_text(clip.tokenizer(prompts))
    ours = encode_template(clip, SETS[names], template)
    assert_close(ours, expected, rtol=1e-10, atol=1e-12)


def passed(clip, names, context, **options):
    """How many tokens pass through the feed-forward part of each block."""
    counts = []
    hooks = [
        block.mlp.register_forward_hook(lambda _, x, y: counts.append(y.shape[:-1].numel()))
        for block in clip.model.transformer.resblocks
    ]
    PromptEncoder(clip, names, **options)(context)
    for hook in hooks:
        hook.remove()
    return counts


def test_no_token_is_computed_in_vain():
    """The prefix once, each name without padding; at the end one token a class. Plain: all."""
    clip = text_towers.clip("RN50")
    names, tokens = ("dog", "traffic light"), 3 + 4  # with full stop and EOS
    shared, specific = (text_towers.contexts(clip, *shape) for shape in ((16,), (2, 16)))
    assert passed(clip, names, shared) == [1 + 16 + tokens, 2]  # two blocks
    assert passed(clip, names, specific) == [1 + tokens + 2 * 16, 2]
    assert passed(clip, names, shared, plain=True) == [2 * 77, 2 * 77]


@pytest.mark.parametrize("plain", [True, False])
def test_the_text_tower_gets_no_gradient(plain):
    clip = text_towers.clip("miniature")
    context = text_towers.contexts(clip, 4)
    PromptEncoder(clip, MIXED, plain)(context).sum().backward()
    assert context.grad.abs().sum() > 0
    assert all(p.grad is None for p in clip.model.parameters())


def test_the_road_follows_the_clip_unless_told():
    clip = copy.copy(drawn_images.miniature_clip())
    assert not PromptEncoder(clip, MIXED).plain
    assert PromptEncoder(clip, MIXED, plain=True).plain
    clip.plain_text = True
    assert PromptEncoder(clip, MIXED).plain
    assert not PromptEncoder(clip, MIXED, plain=False).plain
    whole = clip.encode_text(["a photo of a dog."])
    assert torch.equal(encode_template(clip, ["dog"], "a photo of a {}."), whole)


@pytest.mark.parametrize("plain", [True, False])
def test_a_worker_hands_the_flag_to_every_clip(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "make_deterministic", lambda device: None)
    job = Job(
        units=(),
        suite="mine",
        folder=store.paths(tmp_path, "mine", "miniature"),
        cache=tmp_path,
        root=tmp_path,
        backbone=resolve.resolve(None, "miniature"),
        plain=plain,
    )
    workspace = unit_process.workspace_of(job, "cpu", plugins=False)
    for preprocess in ("clip", "clip-64"):
        assert workspace.store(preprocess).clip.plain_text is plain


@pytest.mark.parametrize("method", [CoOp, DualCoOp, LMPT, TaIDPT])
def test_a_method_learns_the_same_on_both_roads(method):
    options = {"local": "value"} if method is DualCoOp else {}
    found = []
    for plain in (False, True):
        toy, data = prompt_task.under_hidden()
        toy.clip = copy.copy(toy.clip)
        toy.clip.plain_text = plain
        learner = method(context=4, epochs=1, warmup=0, batch_size=10, lr=0.02, **options)
        learner.fit(data, toy)
        assert learner.encoder.plain == plain
        found.append(learner.predict(data.images, toy).detach())
    assert_close(*found, rtol=1e-3, atol=1e-3)


def test_half_precision_keeps_the_context_and_comes_near():
    """Under autocast, as training runs it where the precision asks for it."""
    clip = text_towers.clip("RN50")
    found = []
    for on in (False, True):
        context = text_towers.contexts(clip, 2, 4)
        with torch.autocast("cpu", torch.bfloat16, enabled=on):
            features = PromptEncoder(clip, MIXED).several(context)
        features.float().sin().sum().backward()
        assert context.grad.dtype == torch.float32
        found.append((features.float().detach(), context.grad))
    values, slopes = differences(*found)
    assert 0 < values < 0.05 and 0 < slopes < 0.1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_the_roads_agree_on_a_gpu(kind):
    clip = copy.copy(text_towers.clip("RN50", double=True))
    clip.model, clip.device = copy.deepcopy(clip.model).cuda(), "cuda"
    assert max(differences(*both(clip, MIXED, kind, 4))) <= 1e-10


def test_contexts_that_fit_no_tower_are_refused():
    clip = text_towers.clip("miniature")
    encoder = PromptEncoder(clip, MIXED)
    with pytest.raises(InputError, match=r"'a very long name of seven words': 9 tokens .* of 68"):
        encoder(text_towers.contexts(clip, 68))
    with pytest.raises(ValueError, match="2 contexts for 6 classes"):
        encoder(text_towers.contexts(clip, 2, 4))


def test_a_packing_keeps_every_token_and_knows_the_way_back():
    packing = Packing([3, 1, 2])
    tokens = torch.tensor([10, 11, 12, 20, 30, 31])[None]
    assert packing.within.tolist() == [0, 1, 2, 0, 0, 1]
    assert tokens[0, packing.ends].tolist() == [12, 20, 31]
    grid = packing.grid(tokens)
    assert grid.tolist() == [[10, 11, 12, 20, 20, 20, 30, 31, 31]]
    assert torch.equal(packing.tokens(grid), tokens)
    assert (packing.absent[:, 0] < 0).tolist() == [
        [False, False, False],
        [False, True, True],
        [False, False, True],
    ]
    assert torch.equal(packing.after < 0, torch.ones(3, 3).triu(1) > 0)


def test_what_names_ask_and_answer_first_is_computed_once_in_float32():
    """Also where the first call comes under autocast, or where nothing is to be learned."""
    clip = text_towers.clip("RN50")
    context, expected = text_towers.contexts(clip, 4), None
    for around in (torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu")):
        encoder = PromptEncoder(clip, MIXED)
        with around():
            encoder(context)
        (kept,) = encoder.runs.values()
        assert not kept.states.is_inference() and kept.heads[0].dtype == torch.float32
        encoder(context).sum().backward()
        found, context.grad = context.grad, None
        expected = found if expected is None else expected
        assert torch.equal(found, expected)
        assert encoder.runs == {5: kept}
