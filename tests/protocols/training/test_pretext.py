"""Trainings without labels: what they read, what they give, and that an interruption changes no bit."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from small_trainings import AUGMENT, SHAPE, random_data, small_job, weights
from studies import run
from torch import Generator, nn
from torch.nn.functional import normalize

from harness import HarnessError, RunContext
from harness.records.store import read_folder
from harness.registry import Registry
from harness.running.plan import make_plan
from harness.running.study import StrategySpec, Study, TaskSpec, load_study
from harness.search.budget import Budget
from harness_training.augment import Pipeline
from harness_training.checkpoint import Checkpoint
from harness_training.contrastive import contrastive_loss
from harness_training.curve import Curve
from harness_training.data.reading import Images
from harness_training.loop import Job, train
from harness_training.pretext import Pretext, varied
from harness_training.protocol_files import load_recipe
from harness_training.recipe import AugmentPart, ContrastivePart
from harness_training.trainer import open_trainer

SMALL = ContrastivePart(views=3, dimensions=16, vertical=True, grey=0.5)


def pretext_job(registry: Registry, *, part: ContrastivePart = SMALL, **others: Any) -> Job:
    """A tiny DARTS network with features of length 16 on noise."""
    job = small_job(registry, AUGMENT, data=random_data(shape=SHAPE._replace(classes=part.dimensions)), **others)
    return replace(job, recipe=msgspec.structs.replace(job.recipe, contrastive=part))


def test_labels_are_never_read(registry: Registry) -> None:
    """Not even whether there are any: with all of them wrong, the same bits."""
    job = pretext_job(registry)

    def without(images: Images) -> Images:
        return Images(images.pixels, torch.full_like(images.labels, -100))

    blind = replace(job, data=replace(job.data, train=without(job.data.train), held=without(job.data.held)))
    (curve, network), (same, other) = train(job), train(blind)
    assert curve == same
    assert weights(network) == weights(other)
    assert math.isfinite(curve.score)
    assert train(replace(job, seed=1))[0].loss != curve.loss


def test_an_interrupted_training_goes_on_to_the_same_bits(registry: Registry, tmp_path: Path) -> None:
    """The bank and the layer that puts views together are in the checkpoint too."""
    job = pretext_job(registry)
    whole, network = train(job)

    def stop(curve: Curve) -> None:
        if len(curve.loss) == 2:
            raise KeyboardInterrupt

    checkpoint = Checkpoint(tmp_path / "state.pt", "key", every=0.0)
    with pytest.raises(KeyboardInterrupt):
        train(job, checkpoint=checkpoint, watch=stop)
    resumed, again = train(job, checkpoint=checkpoint, watch=lambda c: None)
    assert resumed == whole
    assert weights(again) == weights(network)


def pretext(network: nn.Module, part: ContrastivePart, seed: int = 0) -> Pretext:
    data, train_part = random_data(), load_recipe("cluttered-digits", "pirl").train
    torch.manual_seed(3)
    pipeline = Pipeline(AugmentPart(), data.train.pixels)
    return Pretext(part, seed, network, train_part, pipeline, data.train, data.held)


def test_a_network_that_tells_nothing_apart_is_at_chance() -> None:
    """Equal features: log(1 + k) + k log(1 + 1 / k), with k negatives; 5.86 of 128, by either denominator."""
    k = 2 * (20 - 1)  # two views of each of the 19 other held images, which are fewer than a batch
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 16))
    nn.init.zeros_(flat[1].weight)  # type: ignore[arg-type]
    for denominator in ("own", "common"):
        found = pretext(flat, ContrastivePart(views=2, dimensions=16, weight=0.0, denominator=denominator)).judge()
        assert found == pytest.approx(math.log(1 + k) + k * math.log(1 + 1 / k), rel=1e-5)


def test_the_bank_moves_half_way_to_the_features_of_the_images_themselves() -> None:
    objective = pretext(nn.Sequential(nn.Flatten(), nn.Linear(64, 16)), ContrastivePart(views=2, dimensions=16))
    rows = torch.tensor([4, 0, 7])
    before = objective.bank[rows].clone()
    features = objective.network(objective.pipeline.plain(objective.images.pixels[rows]))
    loss = objective.loss(rows, Generator().manual_seed(0))
    assert torch.equal(objective.bank[rows], before), "the loss alone moves nothing"
    both = torch.stack([features, features])  # without augmentation the second view is the image again
    together = objective.together(torch.cat([features, features], 1))
    assert loss.item() == pytest.approx(contrastive_loss(before, together, both, objective.pretext).item(), rel=1e-5)
    objective.stepped()
    want = normalize(0.5 * before + 0.5 * normalize(features, dim=1), dim=1)
    torch.testing.assert_close(objective.bank[rows], want)
    assert torch.equal(objective.bank[torch.tensor([1])], normalize(objective.bank[torch.tensor([1])], dim=1))


def test_views_upside_down_and_without_colour() -> None:
    pixels = torch.arange(2 * 3 * 4 * 4, dtype=torch.uint8).reshape(2, 3, 4, 4).repeat(50, 1, 1, 1)
    turned = varied(pixels, ContrastivePart(views=2, vertical=True), Generator().manual_seed(0))
    down = (turned != pixels).flatten(1).any(1)
    assert torch.equal(turned[down], pixels[down].flip(2))
    assert 30 < int(down.sum()) < 70
    grey = varied(pixels, ContrastivePart(views=2, grey=0.5), Generator().manual_seed(0))
    lost = (grey != pixels).flatten(1).any(1)
    assert torch.equal(grey[lost], pixels[lost].float().mean(1, keepdim=True).to(torch.uint8).expand(-1, 3, -1, -1))
    assert 30 < int(lost.sum()) < 70


@pytest.mark.parametrize(
    ("data", "labels", "space"),
    [
        ("cluttered-digits", "base", "nasbench201"),
        ("cluttered-digits", "base", "darts"),
        ("cluttered-digits", "base", "darts-dense-5"),
        ("digits", "smoke", "nasbench201"),
    ],
)
def test_the_shipped_protocols_agree_but_for_their_objective(data: str, labels: str, space: str) -> None:
    """What is searched is what is finally trained, on the same split, and as many images pass through it."""
    recipe, final = load_recipe(data, "pirl"), load_recipe(data, labels)
    assert recipe.network[space] == final.network[space]
    assert recipe.data == final.data
    assert recipe.contrastive is not None
    assert recipe.train.epochs * recipe.contrastive.views == final.train.epochs


@pytest.mark.parametrize("space", ["nasbench201", "darts", "darts-dense-5"])
def test_the_shipped_trick_changes_the_denominator_alone(space: str) -> None:
    recipe = load_recipe("cluttered-digits", "pirl")
    common = load_recipe("cluttered-digits", "pirl+common").contrastive
    assert recipe.contrastive is not None
    assert common == msgspec.structs.replace(recipe.contrastive, denominator="common")
    assert recipe.digest(space) != load_recipe("cluttered-digits", "pirl+common").digest(space)


def test_what_does_not_go_together_is_named(data_folder: Path) -> None:
    with pytest.raises(HarnessError, match="lacks required field `views`"):
        load_recipe("cluttered-digits", "common")  # a trick of the contrastive objective, on base
    file = data_folder / "protocols" / "digits" / "mixed.toml"
    file.parent.mkdir(parents=True)
    text = "[network.darts]\n[train]\nepochs = 1\nbatch = 8\nlr = 0.1\nmomentum = 0.9\nweight_decay = 0\n"
    file.write_text(text + "auxiliary = 0.4\n[contrastive]\nviews = 2\n")
    with pytest.raises(HarnessError, match="auxiliary head wants labels"):
        load_recipe("digits", "mixed")
    file.write_text(text + "[contrastive]\nviews = 2\n[supernet]\nepochs = 1\n")
    with pytest.raises(HarnessError, match="a supernet is judged by labels"):
        load_recipe("digits", "mixed")


def test_a_search_by_the_loss_and_final_scores_by_accuracy(registry: Registry, data_folder: Path) -> None:
    study = load_study(Path(__file__).parents[3] / "examples" / "csnas-live.toml")
    plan = make_plan(study, registry)
    searched = plan.tasks[0].search
    assert (searched.score.higher_is_better, searched.score.ratio_scale) == (False, False)
    assert plan.tasks[0].evaluator.score.name == "accuracy"
    validator = searched.validator("validation", RunContext())
    assert [f.epochs for f in validator.fidelities] == [10]
    arch = searched.space.sample(np.random.default_rng(0), 1)
    supervised = plan.tasks[1].search.validator().costs(arch)
    assert dict(validator.costs(arch)) == supervised, "a constraint means the same in both"


def test_csnas_searches_by_the_loss_and_reports_accuracy(registry: Registry, data_folder: Path, tmp_path: Path) -> None:
    """The record says whose result it is; the answer has the lowest loss of what was paid."""
    pytest.importorskip("optuna")
    folder = data_folder / "protocols" / "digits"
    folder.mkdir(parents=True)
    text = "[network.nasbench201]\nchannels = 2\ncells = 1\nstages = 1\n[data]\ntrain = 60\nvalidation = 60\n"
    text += "[train]\nepochs = 1\nbatch = 30\nlr = 0.1\nmomentum = 0.9\nweight_decay = 0.0\n"
    (folder / "tiny.toml").write_text(text)
    (folder / "blind.toml").write_text(text + "[contrastive]\nviews = 2\ndimensions = 8\n")
    given = Study(
        name="s", budget=Budget(queries=4), seeds=1, reference_seeds=1, draws=2,
        tasks=(TaskSpec(name="train/digits@nasbench201+tiny", search_task="train/digits@nasbench201+blind"),),
        strategies=(StrategySpec(name="csnas", params={"n_startup_trials": 2, "n_ei_candidates": 24}),),
    )  # fmt: skip
    summary, runs = run(registry, tmp_path / "results", given)
    (search,) = (s for s in read_folder(summary.folder).searches.values() if s.spec.strategy == "csnas")
    assert search.notes["result_of"] == "the search task's objective, contrastive loss"
    found = next(r for r in runs if r.entry.strategy == "csnas")
    assert found.score is not None
    assert 0 <= found.score <= 100
    losses = [i.valid for i in search.incumbents]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) >= 1


def test_a_trainer_gives_features_in_place_of_logits(registry: Registry, data_folder: Path) -> None:
    trainer = open_trainer(registry, "cluttered-digits", "nasbench201", "pirl")
    assert trainer.trained_on.classes == 128
    assert trainer.data.shape.classes == 10
    assert trainer.score.name == "contrastive loss"
