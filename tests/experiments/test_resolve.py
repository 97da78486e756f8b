"""Resolving: precedence, origins, and errors that come all at once with their place."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructerc.errors import RecipeError, UnknownNameError
from instructerc.experiments.keys import schema_keys
from instructerc.experiments.resolve import Resolved, explain, find_recipe, recipe_names, resolve, with_seed


@pytest.fixture
def write(tmp_path: Path) -> object:
    def write_recipe(text: str) -> str:
        file = tmp_path / "mine.yaml"
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write_recipe


def origins(resolved: Resolved) -> dict[str, str]:
    return {row.path: str(row.origin) for row in explain(resolved)}


def test_the_command_line_beats_the_recipe_beats_the_default(write) -> None:
    resolved = resolve(write("training:\n  epochs: 3\n  warmup: 0.2\n"), ["training.epochs=5"])
    training = resolved.recipe.training
    assert (training.epochs, training.warmup, training.schedule) == (5, 0.2, "linear")
    found = origins(resolved)
    assert found["training.epochs"] == "command line"
    assert found["training.warmup"] == "recipe mine.yaml:3"
    assert found["training.schedule"] == "default"


def test_the_last_of_two_overrides_wins() -> None:
    assert resolve("quickstart", ["seed=1", "seed=2"]).recipe.seed == 2


def test_an_override_replaces_a_whole_section(write) -> None:
    resolved = resolve(write("training:\n  epochs: 3\n  warmup: 0.2\n"), ["training={epochs: 2}"])
    assert (resolved.recipe.training.epochs, resolved.recipe.training.warmup) == (2, 0.1)
    assert origins(resolved)["training.epochs"] == "command line"
    assert origins(resolved)["training.warmup"] == "default"


def test_every_key_is_explained_once() -> None:
    rows = [row.path for row in explain(resolve("quickstart"))]
    assert len(set(rows)) == len(rows)
    assert {"data.columns", "data.prompts", "training.learning_rate", "output.folder"} <= set(rows)
    assert set(rows) <= set(schema_keys())


def test_defaults_that_depend_on_other_keys_say_so(write) -> None:
    lora, everything = resolve(write("name: a\n")), resolve(write("name: a\n"), ["adapter.method=all"])
    assert (lora.recipe.training.learning_rate, everything.recipe.training.learning_rate) == (2e-4, 2e-5)
    assert origins(lora)["training.learning_rate"] == "default (by adapter.method)"


def test_a_nameless_recipe_is_called_like_its_file(tmp_path: Path) -> None:
    file = tmp_path / "my first (copy).yaml"
    file.write_text("seed: 7\n", encoding="utf-8")
    recipe = resolve(str(file)).recipe
    assert recipe.name == "my-first-copy"
    assert recipe.output.folder == Path("runs/my-first-copy-7")


def test_each_seed_has_its_own_folder(write) -> None:
    plain, given_folder = resolve(write("name: a\n")), resolve(write("name: a\n"), ["output.folder=out"])
    assert with_seed(plain, 3).recipe.output.folder == Path("runs/a-3")
    assert with_seed(given_folder, 3).recipe.output.folder == Path("out/seed-3")
    assert with_seed(plain, 3).recipe.seed == 3
    assert origins(with_seed(plain, 3))["seed"] == "command line"


def test_all_faults_come_at_once_with_file_line_and_key(write) -> None:
    linear = "did you mean 'linear'? It takes one of linear, cosine, constant"
    file = write(
        "name: a b\n"
        "traning: {}\n"
        "epochs: 3\n"
        "training:\n"
        "  epochs: 0\n"
        "  schedule: linaer\n"
        "  warmup: 2\n"
        "  batch_size: 4\n"
        "  micro_batch: 8\n"
        "  learning_rate: .nan\n"
    )
    with pytest.raises(RecipeError) as raised:
        resolve(file, ["window.size=-1", "adapter.rnk=4"])
    assert raised.value.violations == (
        f"{file}:1: name: 'a b' is wrong: It takes a word of letters, digits, '.', '-', '_' (default 'experiment')",
        f"{file}:2: traning: unknown key: did you mean 'training'?",
        f"{file}:3: epochs: unknown key: did you mean 'training.epochs'?",
        f"{file}:5: training.epochs: 0 is wrong: It takes a whole number >= 1 (default 6)",
        f"{file}:6: training.schedule: 'linaer' is wrong: {linear} (default 'linear')",
        f"{file}:7: training.warmup: 2 is wrong: It takes a number >= 0 and <= 1 (default 0.1)",
        f"{file}:9: training.micro_batch: 8 is more than training.batch_size: 4: take at most that",
        f"{file}:10: training.learning_rate: nan is wrong: It takes a number > 0, or null (default null)",
        "command line: window.size: -1 is wrong: It takes a whole number >= 0, or null (default 12)",
        "command line: adapter.rnk: unknown key: did you mean 'adapter.rank'?",
    )
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("window: 3\n", "mine.yaml:1: window: 3 is wrong: It takes the keys size, stride, context"),
        ("data: [a]\n", "data: ['a'] is wrong: It takes the keys corpus"),
        ("data: {labels: {a: 1}}\n", "data.labels: {'a': 1} is wrong: It takes the name of a label set, a list"),
        ("data: {columns: {text: a}}\n", "data.columns.text: has no effect on a corpus of the catalogue"),
        ("prompt: {wording: plain}\nwindow: {size: 3}\n", "window.size: has no effect beside prompt.wording: plain"),
        ("data: {labels: meld}\n", "data.labels: has no effect on a corpus of the catalogue"),
        ("data: {corpus: ./mine, folder: a}\n", "data.folder: has no effect beside a data.corpus that is a path"),
        ("data: {columns: {txt: a}}\n", "data.columns.txt: unknown key: did you mean 'data.columns.text'?"),
        ("data: {prompts: {train: a, test: b}}\n", "data.prompts.validation: is missing: takes a path"),
        ("data: {limit: true}\n", "data.limit: true is wrong: It takes a whole number >= 1, or null (default null)"),
        ("training: {betas: [0.9]}\n", "training.betas: [0.9] is wrong: It takes a list of 2"),
        ("evaluation: {baselines: [tf-idf]}\n", "evaluation.baselines: 'tf-idf' is wrong: did you mean 'tfidf'?"),
        ("name: null\n", "name: null is wrong"),
        ("seed: 99999999999\n", "seed: 99999999999 is wrong: It takes a whole number >= 0 and <= 4294967295"),
        ("prompt: {wording: released, speakers: name}\n", "the released wording knows speakers by index only"),
        ("training: {part_size: 2}\n", "training.part_size: has an effect only where training.grouping is part"),
        ("training: {row_tokens: 0}\n", "training.row_tokens: 0 is wrong: It takes a whole number >= 1, or null"),
        ("backbone: {attention: flash}\n", "It takes one of auto, sdpa, eager, flex"),
        ("backbone: {revision: main}\n", "backbone.revision: has no effect on an embedded backbone"),
    ],
)
def test_a_fault_is_said_in_peoples_words(write, text: str, message: str) -> None:
    with pytest.raises(RecipeError) as raised:
        resolve(write(text))
    assert message in str(raised.value)


@pytest.mark.parametrize("override", ["training.epochs", "=3", "training..epochs=3", ".=1"])
def test_an_override_is_key_equals_value(override: str) -> None:
    with pytest.raises(RecipeError, match="is no KEY=VALUE"):
        resolve("quickstart", [override])


def test_an_override_that_is_no_yaml_is_named() -> None:
    with pytest.raises(RecipeError, match=r"command line: is no valid YAML.*in --set 'description=\[a'; quote it\?"):
        resolve("quickstart", ["description=[a"])


def test_a_key_without_effect_is_an_error_where_it_is_given_as_deliberately(write) -> None:
    with pytest.raises(RecipeError, match=r"mine\.yaml:2: window\.size: has no effect beside data\.prompts"):
        resolve(write("data: {prompts: p.json}\nwindow: {size: 3}\n"))
    with pytest.raises(RecipeError, match=r"command line: adapter\.rank: has no effect beside adapter\.method: all"):
        resolve(write("adapter: {method: all}\n"), ["adapter.rank=4"])


def test_keys_of_the_recipe_step_back_where_the_command_line_switches(write) -> None:
    resolved = resolve(write("window: {size: 3}\nadapter: {rank: 4}\n"), ["data.prompts=p.json", "adapter.method=all"])
    assert resolved.recipe.data.prompts is not None
    found = origins(resolved)
    assert found["window.size"] == "unused (by data.prompts)"
    assert found["adapter.rank"] == "unused (by adapter.method)"
    assert found["data.prompts.train"] == "command line"


def test_a_key_that_the_command_line_does_not_name_silences_nothing(write) -> None:
    file = write("training: {grouping: part, part_size: 2}\n")
    assert resolve(file).recipe.training.part_size == 2
    assert resolve(file, ["seed=1"]).recipe.training.part_size == 2
    switched = resolve(file, ["training.grouping=null"])
    assert origins(switched)["training.part_size"] == "unused (by training.grouping)"


def test_a_size_of_parts_is_kept_in_the_run_folder(write, tmp_path: Path) -> None:
    resolved = resolve(write("training: {grouping: part, part_size: 2, row_tokens: 300}\n"))
    file = tmp_path / "recipe.yaml"
    file.write_text(resolved.to_yaml(), encoding="utf-8")
    assert resolve(str(file)).recipe.training == resolved.recipe.training


@pytest.mark.parametrize(("key", "batching"), [("micro_batch", "tree"), ("row_tokens", "padded")])
def test_what_only_the_other_kind_of_batches_has_is_without_effect(write, key: str, batching: str) -> None:
    with pytest.raises(RecipeError, match=rf"training\.{key}: has no effect beside training\.batching: {batching}"):
        resolve(write(f"training: {{{key}: 8, batching: {batching}}}\n"))
    stepped_back = resolve(write(f"training: {{{key}: 8}}\n"), [f"training.batching={batching}"])
    assert getattr(stepped_back.recipe.training, key) is None


def test_trees_of_a_backbone_that_reads_both_ways_are_refused_before_anything_is_written() -> None:
    reason = "training.batching: embedded-encoder reads prompts in both directions, which share nothing: set it to auto"
    with pytest.raises(RecipeError, match=reason):
        resolve("encoder", ["training.batching=tree"])


def test_own_labels_and_columns_step_back_for_a_corpus_of_the_catalogue() -> None:
    recipe = resolve("own-data", ["data.corpus=meld"]).recipe
    assert recipe.data.labels is None
    assert recipe.data.columns is None


def test_ready_made_prompts_have_labels() -> None:
    assert resolve("released-prompts").recipe.data.labels == "meld"


@pytest.mark.parametrize("name", recipe_names())
def test_a_resolved_recipe_reads_back_as_itself(name: str, tmp_path: Path) -> None:
    resolved = resolve(name)
    file = tmp_path / "recipe.yaml"
    file.write_text(resolved.to_yaml(), encoding="utf-8")
    assert resolve(str(file)).recipe == resolved.recipe


@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_recipe_is_a_documented_page(name: str) -> None:
    text = find_recipe(name).read_text(encoding="utf-8")
    for part in ("# Purpose ", "# Launch ", "# Override "):
        assert part in text
    resolved = resolve(name)
    assert resolved.recipe.name == name
    assert resolved.recipe.description.endswith(".")
    for line in text.splitlines():
        assert len(line) <= 120


@pytest.mark.parametrize("name", ["../etc/passwd", "nowhere.yaml", "."])
def test_a_path_that_is_no_recipe_is_named(name: str) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        resolve(name)


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'quickstart'"):
        resolve("quickstrat")


@given(text=st.text(max_size=60))
def test_any_override_works_or_is_an_error_of_ours(text: str) -> None:
    with contextlib.suppress(RecipeError):
        resolve("quickstart", [f"training.epochs={text}", text])
