"""Command lines of every command that cannot be: each is one line and exit code 2."""

from __future__ import annotations

import pytest

from benchmark import __main__ as commands
from benchmark.cli import run
from tests.helpers.bad_input import refused, typed

EMPTY = """\
--data-root ""
--data-root " "
--data-root=
--tasks ""
--tasks ,
--tasks=,
--tasks " , "
--tasks voc-lt ""
--methods ""
--methods ,
--methods coop ,,
--seeds ""
--seeds ,
--seeds 0 ""
--suite ""
--suite=
--episodes ""
--workers ""
--device ""
--launcher ""
--launcher local --jobs ""
--launcher local --slurm ""
--results-dir ""
--results-dir=
--backbone ""
--backbone ,
--preprocess ""
--precision ""
--plugin ""
--to "" --new-method mine
--new-method ""
--compare "" results
--compare results ""
tune --tasks ""
tune --tasks ,
tune --tasks voc-lt-dev --methods ""
tune --tasks voc-lt-dev --methods ,
tune --tasks voc-lt-dev --suite ""
tune --tasks voc-lt-dev --plugin ""
tune --tasks voc-lt-dev --out ""
tune --tasks voc-lt-dev --results-dir ""
tune --tasks voc-lt-dev --data-root ""
tune --tasks voc-lt-dev --device ""
tune --tasks voc-lt-dev --trials ""
check ""
check zeroshot --set ""
check zeroshot --device ""
data-root check --data-root ""
data-root check --tasks "" --data-root {here}
data-root check --tasks , --data-root {here}
splits fetch --data-root ""
splits fetch --data-root {here} --splits ""
splits fetch --data-root {here} --splits ,
splits fetch --data-root {here} --from ""
splits verify --data-root ""
splits restrict --data-root=
splits pin --from ""
speed --loader ""
speed --only ""
speed --paper --methods ""
speed --paper --backbone ""
speed --device ""
pack-records "" --to {here}
pack-records {here} --to ""
parity ""
parity --tolerance "" {here}
published --file ""
""
""".splitlines()
NUMBERS = """\
--seeds one
--seeds -1
--seeds 1.5
--seeds 1e3
--seeds ²
--seeds {digits}
--seeds 0,{digits}
--seeds 1_000
--episodes 0
--episodes -1
--episodes x
--episodes 1.0
--episodes 11
--episodes {digits}
--workers 0
--workers -2
--workers two
--workers {digits}
--device cda
--device gpu
--device cuda:
--device cuda:x
--device cuda:-1
--device cuda:{digits}
--device "cuda:0 "
--preprocess sqare
--preprocess clip-0
--preprocess clip-1
--preprocess clip-99999
--preprocess clip-{digits}
--preprocess square-raw-448-raw
--preprocess clip-224-448
--precision fp16
--precision bf16+bf16
--precision bf16+
--precision +
tune --tasks voc-lt-dev --trials 0
tune --tasks voc-lt-dev --trials -3
tune --tasks voc-lt-dev --trials {digits}
tune --tasks voc-lt-dev --episodes 0
tune --tasks voc-lt-dev --seed -1
tune --tasks voc-lt-dev --seed x
tune --tasks voc-lt-dev --workers 0
tune --tasks voc-lt-dev --device cuda:{digits}
check zeroshot --device cuda:{digits}
check zeroshot --device tpu
check coop --set epochs=-3
check coop --set batch_size=-1
check coop --set lr=-0.1
check coop --set warmup=-1
check coop --set epochs=2.5
check coop --set epochs={digits}
check coop --set "epochs=!!int abc"
check coop --set "lr=!!float x"
check coop --set "lr=[1"
check coop --set lr=.nan
check coop --set lr=1e-5
check hpdval --set novel_lr=-1.0
data-root check --data-root {here} --workers 0
data-root check --data-root {here} --workers {digits}
speed --images 0
speed --epochs 0 --paper
speed --rounds -1
speed --threads 0
speed --threads {digits}
speed --threads 99999999
speed --classes 0
speed --loader {here} --workers 0
parity {here} --tolerance 0
parity {here} --tolerance -1
parity {here} --tolerance nan
parity {here} --tolerance inf
parity {here} --tolerance 1e999
parity {here} --tolerance x
""".splitlines()
NAMES = """\
--sute cimlic
--suite tinny
--suite {long}
--suite {long}.yaml
--suite gone.yaml
--suite {here}
--suite {here}/empty.yaml
--suite {here}/loop
--suite file
--suite ../../etc/passwd
--tasks voc-ld
--tasks VOC-LT
--tasks voc-lt,coco
--tasks voc-fs-2
--tasks voc-lt-test
--tasks {digits}
--methods priro
--methods {long}
--methods coop/../dualcoop
--plugin gone.py
--plugin {here}
--plugin {here}/file
--plugin {here}/loop
--plugin {long}/x.py
--plugin ~nosuchuser/p.py
--data-root gone
--data-root {here}/file
--data-root {here}/loop
--data-root {here}/{long}
--data-root ~nosuchuser/data
--data-root {here}/empty
--data-root {here}/empty --tasks voc-lt-dev
--data-root {here}/empty --tasks voc-lt-holdout
--backbone ViT-B-16
--backbone :openai
--backbone ViT-B-16:
--backbone ViTB16:openai
--backbone ViT-B-16:openaii
--backbone ViT-B-16:openai
--backbone ViT-B-16:gone.pt
--backbone ViT-B-16:{here}/file
--backbone ViT-B-16:{here}/empty/
--backbone ViT-B-16:~nosuchuser/w.pt
--backbone ViT-B-16:{here}/{long}.pt
--backbone local-dir:
--backbone local-dir:gone
--backbone local-dir:{here}/empty
--backbone local-dir:~nosuchuser/model
--backbone MobileCLIP-S1:random
--backbone coca_ViT-B-32:random
--backbone ViT-B-16-SigLIP:webli
--recompute
--to {here}
--to {here} --status
--status --force
--report --list
--compare {here}/empty
--compare {here}/empty {here}/empty
--compare gone gone
--new-method 2fast
--new-method my-method
--new-method class
--new-method coop
--new-method {long}
--new-method mine --to {here}/gone
--new-method mine --to {here}/file
--list --plugin gone.py
surplus
--tasks
--no-such-flag 3
tune
tune --tasks voc-lt
tune --tasks coco-fs-1
tune --tasks voc-lt-dve
tune --tasks voc-lt-dev --suite gone
tune --tasks voc-lt-dev --methods gone
tune --tasks voc-lt-dev --plugin ~nosuchuser/p.py
tune --tasks voc-lt-dev --data-root {here}/file
tune --tasks voc-lt-dev --device cda
check
check gone
check gone.py
check {here}/empty
check {long}.py
check ~nosuchuser/p.py
check zeroshot --set nothing
check zeroshot --set lr=3
check coop --set rl=3
check coop --set init=
check coop --set lr
data-root
data-root chek
data-root check
data-root check --data-root gone
data-root check --data-root {here} --tasks voc-ld
data-root check --data-root ~nosuchuser
splits
splits fech
splits fetch
splits fetch --data-root gone
splits fetch --data-root {here}/file
splits fetch --data-root {here}/loop
splits fetch --data-root {here} --splits voc-xx
splits fetch --data-root {here} --from {here}/empty --splits voc-lt
splits fetch --data-root {here} --from gone --splits voc-lt
splits fetch --data-root ~nosuchuser
splits verify --data-root {here}/empty
splits pin
splits pin --from {here}/empty
speed --loader gone
speed --loader {here}/empty
speed --loader {here} --paper
speed --steps --workers 2
speed --only nothing
speed --paper --methods gone
speed --paper --only x
speed --device cda
pack-records
pack-records gone --to {here}
pack-records {here}/empty --to {here}
pack-records {here}/file --to {here}
parity
parity gone
parity {here}/empty
parity {here}/file
published --file gone
published --file {here}
published --file {here}/file
published --file {here}/loop
published surplus
--new-method mine --to {long}
--compare {long} {long}
--results-dir {long}
tune --tasks voc-lt-dev --results-dir {long}
parity {long}
pack-records {long} --to {here}
speed --loader {long}
published --file {long}
splits fetch --data-root {here} --splits voc-lt --from {long}
""".splitlines()


@pytest.mark.parametrize("line", [*EMPTY, *NUMBERS, *NAMES])
def test_a_bad_command_line(line, place, capsys):
    refused(capsys, lambda: typed(line, place))


@pytest.mark.parametrize(
    "value", ["", " ", "~nosuchuser/x", "{here}/loop", "{long}", "{here}/file"]
)
@pytest.mark.parametrize("name", ["CIMLIC_CACHE", "CIMLIC_DATA_ROOT", "CIMLIC_LOCK_DIR"])
def test_a_bad_environment(name, value, place, monkeypatch, capsys):
    given = value.format(here=place, long="x" * 300)
    monkeypatch.setenv(name, given)
    flags = ["--tasks", "voc-lt", "--methods", "zeroshot", "--results-dir", str(place / "r")]
    line = refused(capsys, lambda: run.main(flags))
    assert name in line or (name == "CIMLIC_DATA_ROOT" and "--data-root" in line)


@pytest.mark.parametrize("flag", ["--tasks", "--methods", "--suite", "--preprocess", "--backbone"])
def test_what_an_error_quotes_moves_no_cursor(flag, place, capsys):
    line = refused(capsys, lambda: run.main([flag, "a\nb\x1b[2Jc\x85\u2028", "--dry-run"]))
    assert line.isprintable() or line[:-1].isprintable()


@pytest.mark.parametrize("name", ["chek", "", "--chek", "run"])
def test_an_unknown_command(name, capsys):
    assert "known: check, data-root" in refused(capsys, lambda: commands.main([name]))
