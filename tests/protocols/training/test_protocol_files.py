"""Protocol files: the shipped ones say what the papers say, and what is wrong in one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import HarnessError, UnknownName
from harness.registry import Registry
from harness_training.protocol_files import SHIPPED, load_recipe, network_settings, protocol_names
from harness_training.recipe import AugmentPart
from harness_training.task_names import usual_tasks

LADDER = ("base", "A", "D", "C", "C+D", "C+D+A", "C+D+A+50C", "C+D+A+AA", "C+D+A+AA+1500E", "C+D+A+AA+50C+1500E")
"""Yang et al. (ICLR 2020), Figure 3."""


def test_the_ladder_on_cifar10_has_the_papers_values() -> None:
    """Section 4 of Yang et al.: 600 epochs, 36 channels, 20 cells, batch 96, SGD .025 with a cosine to 0, weight decay
    3e-4, clip 5; auxiliary .4, drop path .2, cutout 16, 50 channels, 1,500 epochs."""
    for name in LADDER:
        recipe = load_recipe("cifar10", name)
        tricks = set(name.split("+"))
        assert recipe.train.epochs == (1500 if "1500E" in tricks else 600)
        assert recipe.network["darts"] == {"channels": 50 if "50C" in tricks else 36, "layers": 20}
        train = recipe.train
        assert (train.batch, train.lr, train.momentum, train.weight_decay, train.clip) == (96, 0.025, 0.9, 3e-4, 5)
        assert (train.cosine, train.nesterov) == ("epoch", False)
        assert train.auxiliary == (0.4 if "A" in tricks else 0)
        assert train.drop_path == (0.2 if "D" in tricks else 0)
        cutout = 16 if "C" in tricks else 0
        assert recipe.augment == AugmentPart(crop=4, flip=True, cutout=cutout, autoaugment="AA" in tricks)


def test_nasbench201s_own_training_on_cifar10() -> None:
    recipe = load_recipe("cifar10", "nasbench201")
    train = recipe.train
    assert (train.epochs, train.fidelities, train.batch, train.lr) == (200, (12,), 256, 0.1)
    assert (train.momentum, train.nesterov, train.weight_decay, train.cosine) == (0.9, True, 5e-4, "step")
    assert recipe.data.train == 25_000


def test_every_shipped_file_is_whole_and_fits_the_networks_that_it_names() -> None:
    registry, seen = Registry(), 0
    for folder in sorted(p for p in SHIPPED.iterdir() if p.is_dir()):
        protocols, tricks = protocol_names(folder.name)
        assert "base" in protocols
        blind = {t for t in tricks if "[contrastive]" in (folder / "tricks" / f"{t}.toml").read_text()}
        for name in (*protocols, *(f"pirl+{t}" if t in blind else t for t in tricks)):
            recipe = load_recipe(folder.name, name)
            assert recipe.summary
            for space in recipe.network:
                network_settings(recipe, registry.load("network", space), name)
            seen += 1
    assert seen == len(list(SHIPPED.rglob("*.toml")))


def test_tricks_in_any_order_are_one_protocol() -> None:
    digests = {load_recipe("digits", name).digest("darts") for name in ("C+D+A", "A+C+D", "base+D+A+C")}
    assert len(digests) == 1
    assert load_recipe("digits", "C+D").digest("darts") not in digests


def test_words_and_other_spaces_do_not_change_the_digest(data_folder: Path) -> None:
    recipe = load_recipe("digits", "base")
    other = msgspec.structs.replace(recipe, summary="x", source="y", network=recipe.network | {"z": {"a": 1}})
    assert other.digest("darts") == recipe.digest("darts")
    assert msgspec.structs.replace(recipe, augment=AugmentPart(crop=2)).digest("darts") != recipe.digest("darts")


GOOD = """
[network.darts]
channels = 4
layers = 2
[train]
epochs = 2
batch = 8
lr = 0.1
momentum = 0.9
weight_decay = 0.0
"""


def own(folder: Path, text: str, name: str = "mine") -> Any:
    file = folder / "protocols" / "digits" / f"{name}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return load_recipe("digits", Path(name).name)


def test_a_users_own_files_come_first(data_folder: Path) -> None:
    assert own(data_folder, GOOD).train.epochs == 2
    assert load_recipe("digits", "mine+C").augment.cutout == 4
    assert own(data_folder, GOOD, "base").train.epochs == 2
    (data_folder / "protocols" / "digits" / "tricks").mkdir()
    (data_folder / "protocols" / "digits" / "tricks" / "F.toml").write_text("[augment]\nflip = true\n")
    assert load_recipe("digits", "mine+C+F").augment == AugmentPart(cutout=4, flip=True)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (GOOD + "[augment]\ncutot = 4\n", r"unknown field `cutot`; did you mean 'cutout'\? in \[augment\]"),
        (GOOD + "dropath = 0.2\n", r"unknown field `dropath`; did you mean 'drop_path'\? in \[train\]"),
        (GOOD + "[agument]\n", r"unknown field `agument`; did you mean 'augment'\?"),
        (GOOD.replace("epochs = 2\n", ""), r"it lacks required field `epochs` in \[train\]"),
        (GOOD.replace("epochs = 2", "epochs = 0"), r"`int` >= 1"),
        (GOOD.replace("epochs = 2", 'epochs = "2"'), r"Expected `int`, got `str`"),
        (GOOD + "drop_path = 1.0\n", r"`float` < 1"),
        (GOOD + "clip = inf\n", r"`float` <= 1e\+30 in \[train.clip\]"),
        (GOOD + 'cosine = "steps"\n', r"Invalid enum value 'steps'"),
        (GOOD + "fidelities = [2]\n", r"fidelities are to be fewer epochs than the 2"),
        (GOOD.replace("momentum = 0.9", "momentum = 0.0\nnesterov = true"), r"nesterov needs a momentum"),
        ("epochs = = 2", r"not a protocol file: Invalid value"),
        ("\x00", r"not a protocol file"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(data_folder: Path, text: str, what: str) -> None:
    with pytest.raises(HarnessError, match=what) as caught:
        own(data_folder, text)
    assert "mine.toml" in str(caught.value)


@pytest.mark.parametrize("wrong", ["augment = 3\n", "network = 3\n"])
def test_what_is_wrong_under_a_trick_is_named(data_folder: Path, wrong: str) -> None:
    """Not by the error of putting a trick on it."""
    own(data_folder, GOOD)
    (data_folder / "protocols" / "digits" / "mine.toml").write_text(wrong + GOOD.partition("[network")[0])
    with pytest.raises(HarnessError, match=r"mine.toml: .*Expected `object`, got `int`"):
        load_recipe("digits", "mine+C")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[train.epochs]\nx = 2\n", "train.epochs.x: epochs is a value, not a table"),
        ("train = 3\n", "train is a table, not a value"),
        ("network = 3\n", "network is a table, not a value"),
    ],
)
def test_a_trick_that_takes_a_value_for_a_table_is_named_and_hides_no_other(
    data_folder: Path, text: str, what: str
) -> None:
    tricks = data_folder / "protocols" / "digits" / "tricks"
    tricks.mkdir(parents=True)
    (tricks / "bent.toml").write_text(text)
    with pytest.raises(HarnessError, match=rf"bent.toml: {what}"):
        load_recipe("digits", "smoke+bent")
    names = {task.name for task in usual_tasks()}
    assert "train/digits@darts+C" in names
    assert not any("bent" in name for name in names)


def test_unknown_names_are_answered_with_the_nearest(data_folder: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'smoke'"):
        load_recipe("digits", "smok")
    with pytest.raises(UnknownName, match="unknown trick '1500' .*|unknown trick '1500'; did you mean '1500E'"):
        load_recipe("digits", "C+1500")
    with pytest.raises(UnknownName, match="unknown protocol 'base'"):
        load_recipe("nothing", "base")


def test_two_tricks_that_set_one_thing_are_refused(data_folder: Path) -> None:
    tricks = data_folder / "protocols" / "digits" / "tricks"
    tricks.mkdir(parents=True)
    (tricks / "C2.toml").write_text("[augment]\ncutout = 2\n")
    with pytest.raises(HarnessError, match=r"'C\+C2' of digits: both C and C2 set augment.cutout"):
        load_recipe("digits", "C+C2")


SIZES = [
    ("digits", "50C", {"channels": 6}),
    ("cifar10", "50C", {"channels": 50}),
    *(("digits", f"{n}cells", {"layers": n}) for n in (4, 6)),
    *(("cifar10", f"{n}cells", {"layers": n}) for n in (4, 6, 8, 12, 16, 24)),
]


@pytest.mark.parametrize(("data", "trick", "size"), SIZES)
def test_a_trick_sizes_the_networks_of_darts_that_a_protocol_has(data: str, trick: str, size: dict[str, int]) -> None:
    for protocol in protocol_names(data)[0]:
        plain, sized = (load_recipe(data, p).network for p in (protocol, f"{protocol}+{trick}"))
        assert sized == {s: old | (size if s.startswith("darts") else {}) for s, old in plain.items()}


def test_networks_that_lack_a_trick_or_a_size_are_refused(registry: Registry, data_folder: Path) -> None:
    darts, cells = (registry.load("network", n) for n in ("darts", "nasbench201"))
    with pytest.raises(HarnessError, match=r"nothing of the networks of nasbench201: want \[network.nasbench201\]"):
        network_settings(load_recipe("digits", "base"), cells, "base")
    with pytest.raises(HarnessError, match="'smoke\\+A' sets auxiliary, which the networks of nasbench201 do not have"):
        network_settings(load_recipe("digits", "smoke+A"), cells, "smoke+A")
    bad = own(data_folder, GOOD.replace("layers = 2", "layer = 2"))
    with pytest.raises(HarnessError, match=r"unknown field `layer`; did you mean 'layers'"):
        network_settings(bad, darts, "mine")
