"""moto's objects as pieces of the state, and back.

Backends refer to one another, to locks and to keys of a crypto library. A reference to a backend is stored as the
backend's name, a lock as the function that makes a new one, a key as PEM. Only moto's classes and a short list of plain
ones are read, so that a foreign file cannot call anything.
"""

from __future__ import annotations

import copyreg
import importlib
import io
import pickle
import threading
import types
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric.dsa import DSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from moto.backends import get_backend
from moto.core.base_backend import BackendDict, BaseBackend
from moto.events.models import Archive
from moto.sns.models import Topic

from localmaker.state.blobs import BlobFile, BlobStore
from localmaker.state.store import Piece, PieceId, UnusableStateError

_PROTOCOL = 5
PRIVATE_KEYS = (RSAPrivateKey, EllipticCurvePrivateKey, DSAPrivateKey, Ed25519PrivateKey)
_BUILTINS = (
    "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range", "set",
    "slice", "str", "tuple",
)  # fmt: skip
_PLAIN = {
    "builtins": set(_BUILTINS),
    "copyreg": {"__newobj__", "_reconstructor"},
    "collections": {"OrderedDict", "defaultdict", "deque", "Counter"},
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "dateutil.tz.tz": {"tzutc", "tzlocal", "tzoffset"},
    "decimal": {"Decimal"},
    "ipaddress": {"IPv4Address", "IPv4Network", "IPv6Address", "IPv6Network"},
    "re": {"_compile"},
    "requests.structures": {"CaseInsensitiveDict"},
    "uuid": {"UUID", "SafeUUID"},
    "zoneinfo": {"ZoneInfo"},
    "_thread": {"allocate_lock"},
    "threading": {"RLock", "Condition", "Event"},
    "weakref": {"WeakValueDictionary"},
    __name__: {"load_private_key", "backend_of_name", "file_of_name"},
    "localmaker.state.blobs": {"Extent", "StoredBytes"},
    "localmaker.services.cloudformation.resources": {"ApiResource"},
    "localmaker.services.sqs.messages": {"Deleted"},
}


class UnknownStateError(Exception):
    """The stored bytes are not what this module writes."""


class Codec:
    """Converts objects to pieces and back.

    Args:
        blobs: the files that pieces refer to.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def piece(self, identity: PieceId, value: Any) -> Piece:
        """Return the piece of an object, or for None the piece that removes it.

        Raises:
            TypeError, AttributeError, pickle.PicklingError: the object holds something that cannot be stored.
        """
        if value is None:
            return Piece(identity, None)
        while True:
            buffer = io.BytesIO()
            pickler = _Pickler(buffer)
            try:
                pickler.dump(value)
            except RuntimeError as error:
                # Another request changes it at this moment, and is going to store it as well.
                if "during iteration" not in str(error):
                    raise
            else:
                return Piece(identity, buffer.getvalue(), tuple(pickler.files))

    def value(self, piece: Piece) -> Any:
        """Return the object of a piece.

        Raises:
            UnknownStateError: the bytes are not what :meth:`piece` writes, or name what this moto does not have.
            UnusableStateError: a file that the piece refers to is missing.
        """
        try:
            return _Unpickler(io.BytesIO(piece.data or b""), self._adopt).load()
        except (UnknownStateError, UnusableStateError):
            raise
        except Exception as error:
            raise UnknownStateError(f"{type(error).__name__}: {error}") from error

    def _adopt(self, name: str) -> BlobFile:
        try:
            return self._blobs.adopt(name)
        except FileNotFoundError as error:
            raise UnusableStateError(f"the file {name} of an object is missing") from error


def live_backend(service: str, account: str, region: str) -> Any:
    """Return moto's backend of a service.

    Raises:
        KeyError, ImportError: the region does not exist, or the service has no backend of its own.
    """
    backends: Any = get_backend(service)
    return backends[account][region]


def load_private_key(pem: bytes) -> Any:
    """Return a private key from its PEM."""
    return load_pem_private_key(pem, password=None)


def backend_of_name(service: str, account: str, region: str) -> Any:
    """Stand in stored bytes for :func:`live_backend`."""
    raise UnknownStateError(f"the backend {service} {account} {region} is not read through a codec")


def file_of_name(name: str) -> Any:
    """Stand in stored bytes for a codec's file of that name."""
    raise UnknownStateError(f"the file {name} is not read through a codec")


def _make_new(function: Callable[[], Any]) -> Callable[[Any], Any]:
    return lambda _obj: (function, ())


def _without(attribute: str) -> Callable[[Any], Any]:
    """Return a function that reduces an object with an empty list in place of an attribute."""

    def reduce(obj: Any) -> Any:
        make, arguments, state, *rest = obj.__reduce_ex__(_PROTOCOL)
        return make, arguments, {**state, attribute: []}, *rest

    return reduce


class _Pickler(pickle.Pickler):
    dispatch_table = {  # noqa: RUF012 - pickle reads it from the class
        **copyreg.dispatch_table,
        type(threading.Lock()): _make_new(threading.Lock),
        type(threading.RLock()): _make_new(threading.RLock),
        threading.Condition: _make_new(threading.Condition),
        threading.Event: _make_new(threading.Event),
        Archive: _without("events"),  # parts of the backend
        Topic: _without("sent_notifications"),  # which moto keeps for the tests of its users, and no API returns
    }

    def __init__(self, buffer: io.BytesIO) -> None:
        super().__init__(buffer, _PROTOCOL)
        self.files: list[str] = []

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (type, types.FunctionType, types.BuiltinFunctionType)):
            _require_readable(obj)
        elif isinstance(obj, BlobFile):
            self.files.append(obj.name)
            return file_of_name, (obj.name,)
        elif isinstance(obj, BaseBackend):
            return backend_of_name, _name_of(obj)
        elif isinstance(obj, (defaultdict, weakref.WeakValueDictionary)):
            return _reduced_mapping(obj)
        elif isinstance(obj, PRIVATE_KEYS):
            pem = obj.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            return load_private_key, (pem,)
        return NotImplemented


def _reduced_mapping(obj: defaultdict[Any, Any] | weakref.WeakValueDictionary[Any, Any]) -> Any:
    if isinstance(obj, weakref.WeakValueDictionary):
        return weakref.WeakValueDictionary, (), None, None, iter(list(obj.items()))
    factory = obj.default_factory
    if "<locals>" in getattr(factory, "__qualname__", ""):
        # It cannot be stored. `restore_into` fills the dictionary of a new backend instead.
        factory = None
    new: Any = vars(copyreg)["__newobj__"]
    # Subclasses take other arguments than a factory, so none is passed.
    return (
        new,
        (type(obj),),
        (getattr(obj, "__dict__", None) or None, {"default_factory": factory}),
        None,
        _items(obj),
    )


def _items(obj: dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
    return iter(list(dict.items(obj)))


def _require_readable(obj: Any) -> None:
    """Refuse to write what :meth:`_Unpickler.find_class` would refuse to read."""
    if obj.__qualname__ in _PLAIN.get(obj.__module__, ()):
        return
    if not (isinstance(obj, type) and obj.__module__.startswith("moto.")):
        raise pickle.PicklingError(f"it holds {obj.__module__}.{obj.__qualname__}")


def _name_of(backend: BaseBackend) -> tuple[str, str, str]:
    for service in list(BackendDict._instances):  # noqa: SLF001 - moto has no other list of them
        for account, region, found in service.iter_backends():
            if found is backend:
                return service.service_name, account, region
    raise pickle.PicklingError(f"{type(backend).__name__} is in no list of moto's backends")


class _Unpickler(pickle.Unpickler):
    def __init__(self, buffer: io.BytesIO, file: Callable[[str], BlobFile]) -> None:
        super().__init__(buffer)
        self._file = file

    def find_class(self, module: str, name: str) -> Any:
        if module == __name__ and name in ("backend_of_name", "file_of_name"):
            return live_backend if name == "backend_of_name" else self._file
        if name in _PLAIN.get(module, ()):
            return super().find_class(module, name)
        if module.startswith("moto."):
            found: Any = importlib.import_module(module)
            for attribute in name.split("."):
                found = getattr(found, attribute)
            if isinstance(found, type) and found.__module__.startswith("moto."):
                return found
        raise UnknownStateError(f"another version wrote it: this one does not read {module}.{name}")


def restore_into(backend: BaseBackend, state: dict[str, Any]) -> None:
    """Give a backend the attributes of a stored one, and only these."""
    fresh = backend.__dict__
    for name, value in state.items():
        own = fresh.get(name)
        if isinstance(own, defaultdict) and isinstance(value, defaultdict) and value.default_factory is None:
            own.clear()
            own.update(value)
        else:
            if type(own) is type(value):
                _take_over_factories(getattr(own, "__dict__", {}), getattr(value, "__dict__", {}))
            fresh[name] = value
    for name in fresh.keys() - state.keys():
        del fresh[name]


def _take_over_factories(new: dict[str, Any], stored: dict[str, Any]) -> None:
    """Give the dictionaries of a stored part of a backend the factories that could not be stored."""
    for name, value in stored.items():
        if isinstance(value, defaultdict) and value.default_factory is None:
            value.default_factory = getattr(new.get(name), "default_factory", None)
