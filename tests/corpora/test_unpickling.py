from __future__ import annotations

import builtins
import contextlib
import copyreg
import datetime as dt
import io
import os
import pickle
import struct
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructerc.corpora import unpickling
from instructerc.corpora.unpickling import load_plain_pickle
from instructerc.errors import UnreadableFileError, UnsafePickleError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def load(folder: Path, data: bytes) -> Any:
    path = folder / "data.pkl"
    path.write_bytes(data)
    return load_plain_pickle(path)


def refusal(folder: Path, data: bytes) -> str:
    with pytest.raises(UnsafePickleError) as caught:
        load(folder, data)
    return str(caught.value)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(min_size=1)
    | st.complex_numbers(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=plain, protocol=st.sampled_from(PROTOCOLS))
def test_plain_data_comes_back_as_it_was(tmp_path: Path, value: Any, protocol: int) -> None:
    assert load(tmp_path, pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sets_are_plain_data(tmp_path: Path, protocol: int) -> None:
    value = [{1, 2}, frozenset("ab")]
    assert load(tmp_path, pickle.dumps(value, protocol)) == value


SCALARS = [
    np.int8(-3), np.uint8(250), np.int16(-300), np.uint16(60000), np.int32(7), np.uint32(4_000_000_000),
    np.int64(-(2**40)), np.uint64(2**63), np.float16(0.5), np.float32(0.25), np.float64(0.1), np.bool_(True),
    np.str_("naïve 😀"), np.array(5, dtype=">i4")[()],
]  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("scalar", SCALARS, ids=lambda value: value.dtype.str)
def test_numpy_scalars_become_python_values(tmp_path: Path, scalar: Any, protocol: int) -> None:
    found = load(tmp_path, pickle.dumps([scalar, scalar], protocol))
    assert found == [scalar.item(), scalar.item()]
    assert type(found[0]) in (int, float, bool, str)


def test_the_scalars_of_older_numpy_are_known(tmp_path: Path) -> None:
    data = pickle.dumps(np.int32(7), 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert load(tmp_path, data) == 7


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch executed",)),
        (builtins.eval, ("open('executed', 'w')",)),
        (builtins.exec, ("open('executed', 'w')",)),
        (builtins.getattr, (os, "system")),
        (builtins.__import__, ("antigravity",)),
        (os.popen, ("touch executed",)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_call_is_refused_by_name_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: Any, arguments: tuple[Any, ...], protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = tuple(argument for argument in arguments if isinstance(argument, str))
    message = refusal(tmp_path, pickle.dumps(Calls(function, *arguments), protocol))
    asked = message.split("'")[1].replace("__builtin__", "builtins")
    assert asked == f"{function.__module__}.{function.__name__}"
    assert "nothing of it was imported" in message
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_deep_inside_plain_data_is_refused(tmp_path: Path, protocol: int) -> None:
    nested = [{"a": [(1, [{"b": Calls(os.system, "true")}])]}]
    assert f"the global '{os.system.__module__}.system'" in refusal(tmp_path, pickle.dumps(nested, protocol))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_that_takes_a_call_is_refused(tmp_path: Path, protocol: int) -> None:
    refusal(tmp_path, pickle.dumps(Calls(os.system, Calls(eval, "'true'")), protocol))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_inside_a_pickle_stays_bytes(tmp_path: Path, protocol: int) -> None:
    inner = pickle.dumps(Calls(os.system, "true"), protocol)
    assert load(tmp_path, pickle.dumps([inner], protocol)) == [inner]


def test_the_refused_module_is_not_imported(tmp_path: Path) -> None:
    sys.modules.pop("antigravity", None)
    for data in (b"cantigravity\nfly\n.", b"\x80\x04\x8c\x0bantigravity\x8c\x03fly\x93."):
        assert "the global 'antigravity.fly'" in refusal(tmp_path, data)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("module", ["__builtin__", "builtins"])
def test_python_2_names_are_refused_as_well(tmp_path: Path, module: str) -> None:
    assert f"the global '{module}.eval'" in refusal(tmp_path, f"c{module}\neval\n(S'1'\ntR.".encode())


def test_the_old_instance_opcode_is_refused(tmp_path: Path) -> None:
    assert "the global 'os.system'" in refusal(tmp_path, b"(S'true'\nios\nsystem\n.")
    assert "the global 'os.system'" in refusal(tmp_path, b"(cos\nsystem\nS'true'\no.")


def test_a_dotted_name_does_not_reach_further(tmp_path: Path) -> None:
    data = b"\x80\x04\x8c\x08builtins\x8c\x0cset.__init__\x93."
    assert "the global 'builtins.set.__init__'" in refusal(tmp_path, data)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value", [np.array([1, 2]), np.array([os.system], dtype=object), np.array(["a"])], ids=["int", "object", "text"]
)
def test_arrays_are_refused(tmp_path: Path, value: Any, protocol: int) -> None:
    message = refusal(tmp_path, pickle.dumps(value, protocol))
    assert "multiarray._reconstruct'" in message or "numeric._frombuffer'" in message or "'numpy.ndarray'" in message


@pytest.mark.parametrize(
    "scalar",
    [np.datetime64("2024-01-01"), np.complex64(1), np.bytes_(b"a"), np.void(b"abc")],
    ids=lambda value: value.dtype.str,
)
def test_other_scalars_are_refused_by_their_type(tmp_path: Path, scalar: Any) -> None:
    assert "the numpy dtype" in refusal(tmp_path, pickle.dumps(scalar))


def test_a_scalar_of_objects_is_refused(tmp_path: Path) -> None:
    data = pickle.dumps(Calls(np.int32(1).__reduce__()[0], Calls(np.dtype, "O", False, True), [1]))
    assert "the numpy dtype 'O'" in refusal(tmp_path, data)


def test_a_structured_type_is_refused(tmp_path: Path) -> None:
    structured = np.dtype([("a", "i4")])
    assert "the numpy dtype 'V4'" in refusal(tmp_path, pickle.dumps(structured))
    disguised = pickle.dumps(structured).replace(b"V4", b"i4")
    assert "more than a plain scalar" in refusal(tmp_path, disguised)


def test_only_the_codec_of_bytes_is_admitted(tmp_path: Path) -> None:
    import codecs

    assert "the codec 'rot13'" in refusal(tmp_path, pickle.dumps(Calls(codecs.encode, "a", "rot13"), 2))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value", [OrderedDict(a=1), range(3), Path("a"), dt.date(2024, 1, 1)], ids=lambda v: type(v).__name__
)
def test_what_is_not_needed_is_not_admitted(tmp_path: Path, value: Any, protocol: int) -> None:
    assert "asks for the global" in refusal(tmp_path, pickle.dumps(value, protocol))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_persistent_objects_are_refused(tmp_path: Path, protocol: int) -> None:
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return "elsewhere" if obj == "here" else None

    buffer = io.BytesIO()
    Pickler(buffer, protocol).dump(["here"])
    assert "asks for a persistent object" in refusal(tmp_path, buffer.getvalue())


@pytest.mark.parametrize("code", [5, 300, 70_000])
def test_extension_codes_are_refused_even_when_cached(tmp_path: Path, code: int) -> None:
    copyreg.add_extension(os.system.__module__, "system", code)
    try:
        data = pickle.dumps(os.system, 2)
        assert pickle.loads(data) is os.system  # now every unpickler of the process would take it from a cache
        assert f"asks for the extension code {code}" in refusal(tmp_path, data)
    finally:
        copyreg.remove_extension(os.system.__module__, "system", code)
        copyreg.clear_extension_cache()


def test_the_stand_ins_cannot_be_changed(tmp_path: Path) -> None:
    # BUILD with a pair sets attributes: of a function it could replace the defaults.
    for module, name in unpickling._ADMITTED:
        head = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, name)) + b"\x93"
        data = head + b"N}\x8c\x08__call__Ns\x86b."
        with pytest.raises((UnsafePickleError, UnreadableFileError)):
            load(tmp_path, data)
    assert load(tmp_path, pickle.dumps(np.int32(7))) == 7


def test_a_memo_number_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    assert "memo number 4294967294" in refusal(tmp_path, b"\x80\x04Nr" + struct.pack("<I", 4294967294) + b".")
    assert "memo number 99999999" in refusal(tmp_path, b"Np99999999\n.")


def test_a_length_that_would_fill_the_memory_is_a_cut_file(tmp_path: Path) -> None:
    for data in (
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"a.",
        b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"a.",
    ):
        with pytest.raises(UnreadableFileError, match=r"data\.pkl: is no whole pickle"):
            load(tmp_path, data)


def test_a_file_cut_anywhere_is_named(tmp_path: Path) -> None:
    whole = pickle.dumps([{"a": [1, 2.5, "text", np.int32(3)]}] * 3)
    for end in range(1, len(whole)):
        with pytest.raises(
            UnreadableFileError, match=r"data\.pkl: is no whole pickle .*: the file was cut off or changed"
        ):
            load(tmp_path, whole[:end])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(min_size=1, max_size=60))
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_arbitrary_bytes_never_raise_anything_else(tmp_path: Path, data: bytes) -> None:
    with contextlib.suppress(UnreadableFileError, UnsafePickleError):
        load(tmp_path, data)


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"data\.pkl: the file is empty"):
        load(tmp_path, b"")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pkl", tmp_path):
        with pytest.raises(UnreadableFileError, match="cannot be read"):
            load_plain_pickle(path)


def test_a_file_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpickling, "LARGEST_PICKLE", 10)
    with pytest.raises(UnreadableFileError, match="has 11 bytes, 10 is the limit"):
        load(tmp_path, b"x" * 11)
