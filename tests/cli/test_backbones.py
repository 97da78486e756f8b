from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from instructerc.backbones import inspection
from instructerc.backbones.presets import PRESETS
from instructerc.cli import app
from instructerc.testing import tiny_llama


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama"))


def _run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["backbones", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_ls_prints_a_line_for_each_backbone() -> None:
    code, out, err = _run("ls")
    head, *lines = out.splitlines()
    assert (code, err) == (0, "")
    assert head.split()[:4] == ["name", "parameters", "reads", "prompts"]
    assert [line.split()[0] for line in lines] == list(PRESETS)
    assert "37.7 GiB" in next(line for line in lines if line.startswith("llama2-7b"))


def test_ls_prints_json() -> None:
    code, out, _ = _run("ls", "--json")
    records = {record["name"]: record for record in json.loads(out)}
    assert code == 0
    assert set(records) == set(PRESETS)
    assert records["llama2-7b"]["parameters"] == 6_738_415_616
    assert records["llama2-7b"]["memory"]["LoRA"]["weights"] == 2 * 6_738_415_616


def test_show_prints_what_the_table_says_and_the_arithmetic() -> None:
    code, out, _ = _run("show", "llama2-7b")
    assert code == 0
    assert "https://huggingface.co/meta-llama/Llama-2-7b-hf" in out
    assert "gated: accept its terms on its page, then `hf auth login`; about 12.6 GiB" in out
    assert str(PRESETS["llama2-7b"].revision) in out
    assert "12.6 GiB  6,738,415,616 × 2 bytes" in out


def test_show_says_what_is_not_pinned_and_what_needs_no_hub() -> None:
    assert "not pinned: pin one yourself with backbone.revision" in _run("show", "glm-4-9b")[1]
    out = _run("show", "embedded")[1]
    assert "comes with a package, offline" in out
    assert "revision" not in out


def test_show_prints_json() -> None:
    code, out, _ = _run("show", "embedded", "--json")
    assert code == 0
    assert json.loads(out)["sizes"]["layers"] == 6


@pytest.mark.parametrize("command", ["show", "check"])
def test_a_name_that_is_unknown_is_one_line(command: str) -> None:
    code, out, err = _run(command, "lama2-7b")
    assert (code, out) == (2, "")
    assert "'lama2-7b'" in err
    assert "llama2-7b" in err
    assert err.count("\n") == 1


def test_check_says_what_will_happen(folder: Path) -> None:
    code, out, err = _run("check", str(folder))
    assert (code, err) == (0, "")
    assert "llama (LlamaForCausalLM)" in out
    assert "safetensors, model.safetensors" in out
    assert "- reads token trees" in out
    assert "- LoRA: fits" in out
    assert "× 4 bytes" in out


def test_check_prints_json(folder: Path) -> None:
    code, out, _ = _run("check", str(folder), "--json")
    record = json.loads(out)
    assert code == 0
    assert record["trees"] is True
    assert record["memory"]["LoRA in 4 bits"]["fits"] is True


def test_check_of_a_hub_model_without_the_hub_says_what_the_table_knows() -> None:
    code, out, err = _run("check", "qwen3-0.6b")
    assert code == 1
    assert "596,049,920" in out
    assert out.endswith("So says the table; the rest needs its files.\n")
    assert err.startswith("error: qwen3-0.6b: the hub did not deliver Qwen/Qwen3-0.6B-Base")
    assert err.count("\n") == 1
    assert _run("check", "qwen3-0.6b", "--json")[:2] == (1, "")
    assert _run("check", "nobody/nothing")[:2] == (1, "")


def test_check_of_a_folder_that_is_not_whole_is_one_line(folder: Path, tmp_path: Path) -> None:
    torn = Path(shutil.copytree(folder, tmp_path / "torn"))
    (torn / "model.safetensors").unlink()
    code, out, err = _run("check", str(torn))
    assert (code, out) == (1, "")
    assert "has neither model.safetensors" in err
    assert err.count("\n") == 1


def test_check_ends_with_1_where_nothing_fits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "free_memory", lambda device: 2**20)
    code, out, err = _run("check", str(folder))
    assert code == 1
    assert "- recognition: does not fit" in out
    assert "does not fit on cpu in any way: take a smaller backbone" in err


def test_the_shell_completes_backbones() -> None:
    environment = {
        "_INSTRUCTERC_COMPLETE": "complete_bash",
        "COMP_WORDS": "instructerc backbones show chatglm",
        "COMP_CWORD": "3",
    }
    done = CliRunner().invoke(app, [], env=environment, prog_name="instructerc")
    assert done.output.split() == ["chatglm-6b", "chatglm2-6b"]
