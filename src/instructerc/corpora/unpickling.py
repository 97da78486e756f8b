"""Pickles as data only: plain containers, strings, numbers and numpy scalars, and nothing that could run.

A pickle is a program. Three fences stand around it, none of which imports anything the pickle names:

1. The opcodes are read without being run: persistent objects, extension codes (which bypass any other fence once they
   are cached in the process) and memo numbers that would exhaust memory are refused.
2. Each global that it asks for is looked up in the table below; what is not there is refused by name.
3. The table holds our own stand-ins, not numpy's functions, so that no foreign state reaches numpy's C code: a numpy
   scalar comes out as a Python number.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from instructerc.errors import InstructERCError, UnreadableFileError, UnsafePickleError

LARGEST_PICKLE = 256 * 1024 * 1024
"""Bytes; the published ones have two million."""

_FORMATS = {
    "b1": "?", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q",
    "f2": "e", "f4": "f", "f8": "d",
}  # fmt: skip
_TEXT = re.compile(r"U[1-9][0-9]{0,5}")


def load_plain_pickle(path: Path) -> Any:
    """Reads a pickle that holds nothing but plain data.

    Args:
        path: The file; any pickle protocol.

    Returns:
        What it holds; numpy scalars as Python numbers, booleans and strings.

    Raises:
        UnreadableFileError: It is missing, empty, too large, cut off, or no pickle.
        UnsafePickleError: It asks for something that plain data does not need; names it. Nothing was imported.
    """
    data = _bytes_of(Path(path))
    try:
        _scan(data)
        return _PlainUnpickler(io.BytesIO(data)).load()
    except _RefusedError as error:
        raise UnsafePickleError(
            f"{path}: asks for {error}: a corpus needs only plain containers, strings, numbers and numpy scalars; "
            "nothing of it was imported; get the file from its publisher"
        ) from None
    except Exception as error:  # damaged bytes raise anything, by design of the format
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableFileError(
            f"{path}: is no whole pickle ({reason}): the file was cut off or changed; get it again"
        ) from None


def _bytes_of(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST_PICKLE:
            raise UnreadableFileError(
                f"{path}: has {size} bytes, {LARGEST_PICKLE} is the limit: this is no such corpus"
            )
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read ({error.strerror}): check the path") from None
    if not data:
        raise UnreadableFileError(f"{path}: the file is empty: it was perhaps not written to its end; get it again")
    return data


class _RefusedError(InstructERCError):
    """Something that plain data does not need; the text says what."""


def _scan(data: bytes) -> None:
    for opcode, argument, _ in pickletools.genops(data):
        name = opcode.name
        if name in ("GLOBAL", "INST"):
            module, _, attribute = str(argument).partition(" ")
            _admitted(module, attribute)
        elif name in ("EXT1", "EXT2", "EXT4"):
            raise _RefusedError(f"the extension code {argument}")
        elif name in ("PERSID", "BINPERSID"):
            raise _RefusedError("a persistent object")
        elif name in ("PUT", "BINPUT", "LONG_BINPUT") and isinstance(argument, int) and argument > len(data):
            # A memo is an array: its largest number alone decides how much memory it takes.
            raise _RefusedError(f"memo number {argument}, more than the file has bytes")


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _admitted(module, name)

    def persistent_load(self, pid: Any) -> Any:  # noqa: ARG002
        raise _RefusedError("a persistent object")


def _admitted(module: str, name: str) -> Any:
    # Python 2 knew the same types under another module.
    found = _ADMITTED.get((module.replace("__builtin__", "builtins"), name))
    if found is None:
        raise _RefusedError(f"the global '{module}.{name}'")
    return found


class _ScalarType:
    """Stands for a numpy dtype of one number or text."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "<"

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ("<", ">", "|") or any(state[2:5]):
            raise _RefusedError(f"a numpy dtype {self.code!r} that is more than a plain scalar")
        self.order = ">" if state[1] == ">" else "<"


class _StandIn:
    """Called in place of what a pickle asks for."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        # BUILD would set attributes, for every pickle that is read after this one.
        raise _RefusedError("a change of what it was given")


class _MakeScalarType(_StandIn):
    """Stands for `numpy.dtype`."""

    __slots__ = ()

    def __call__(self, code: Any, *_layout: Any) -> _ScalarType:
        if not isinstance(code, str) or not (code in _FORMATS or _TEXT.fullmatch(code)):
            raise _RefusedError(f"the numpy dtype {str(code)[:40]!r}")
        return _ScalarType(code)


class _MakeScalar(_StandIn):
    """Stands for `numpy.core.multiarray.scalar`."""

    __slots__ = ()

    def __call__(self, kind: Any, data: Any = None) -> int | float | bool | str:
        if not isinstance(kind, _ScalarType) or not isinstance(data, bytes):
            raise _RefusedError("a numpy scalar of an object")
        if kind.code not in _FORMATS:
            return data.decode("utf-32-le" if kind.order == "<" else "utf-32-be").rstrip("\0")
        (value,) = struct.unpack(kind.order + _FORMATS[kind.code], data)
        plain: int | float | bool = value
        return plain


class _EncodeLatin1(_StandIn):
    """Stands for `_codecs.encode`, by which protocols 0 to 2 write bytes."""

    __slots__ = ()

    def __call__(self, text: Any, encoding: Any = None) -> bytes:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise _RefusedError(f"the codec {str(encoding)[:40]!r}")
        return text.encode("latin-1")


_ADMITTED: Mapping[tuple[str, str], Any] = {
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "complex"): complex,
    ("_codecs", "encode"): _EncodeLatin1(),
    ("numpy", "dtype"): _MakeScalarType(),
    ("numpy.core.multiarray", "scalar"): _MakeScalar(),
    ("numpy._core.multiarray", "scalar"): _MakeScalar(),
}
"""Every global that plain data needs."""
