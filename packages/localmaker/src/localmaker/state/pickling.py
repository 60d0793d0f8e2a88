"""moto's objects to bytes and back.

Backends refer to one another, to locks and to keys of the operating system's crypto library; references to backends
become their names, locks are made anew, keys are written as PEM. Reading accepts moto's classes and a short list of
plain ones, so that a file which is not ours can call nothing.
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
from dataclasses import dataclass, field
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
from moto.core.base_backend import BackendDict, BaseBackend

from localmaker.state.blobs import BlobFile

_PROTOCOL = 5
PRIVATE_KEYS = (RSAPrivateKey, EllipticCurvePrivateKey, DSAPrivateKey, Ed25519PrivateKey)
_PLAIN = {
    "builtins": {
        *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range"),
        *("set", "slice", "str", "tuple"),
    },
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
    __name__: {
        *("new_lock", "new_rlock", "new_condition", "new_event", "new_weak_values", "load_private_key"),
        *("backend_of_name", "file_of_name"),
    },
    "localmaker.state.blobs": {"Extent", "StoredBytes"},
    "localmaker.state.queue_messages": {"Deleted"},
    "localmaker.state.s3_contents": {"TrackedKeys"},
}


class UnknownStateError(Exception):
    """Stored bytes that are not what this module writes."""


@dataclass
class Pickled:
    """The bytes of an object, and the names of the files that they refer to."""

    data: bytes
    files: list[str] = field(default_factory=list)


def new_lock() -> Any:
    return threading.Lock()


def new_rlock() -> Any:
    return threading.RLock()


def new_condition() -> threading.Condition:
    return threading.Condition()


def new_event() -> threading.Event:
    return threading.Event()


def new_weak_values() -> weakref.WeakValueDictionary[Any, Any]:
    return weakref.WeakValueDictionary()


def load_private_key(pem: bytes) -> Any:
    return load_pem_private_key(pem, password=None)


def backend_of_name(service: str, account: str, region: str) -> Any:
    """Stands in stored bytes for what :func:`load` is given."""
    raise UnknownStateError(f"the backend {service} {account} {region} is read without a place to find it")


def file_of_name(name: str) -> Any:
    """Stands in stored bytes for what :func:`load` is given."""
    raise UnknownStateError(f"the file {name} is read without a place to find it")


_NEW: dict[type, Callable[[], Any]] = {
    type(threading.Lock()): new_lock,
    type(threading.RLock()): new_rlock,
    threading.Condition: new_condition,
    threading.Event: new_event,
}


def dump(value: Any) -> Pickled:
    """An object as bytes.

    Raises:
        TypeError, AttributeError, pickle.PicklingError: something in it cannot be stored.
    """
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.dump(value)
    return Pickled(buffer.getvalue(), pickler.files)


class _Pickler(pickle.Pickler):
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
        elif type(obj) in _NEW:
            return _NEW[type(obj)], ()
        elif isinstance(obj, (defaultdict, weakref.WeakValueDictionary)):
            return _reduced_mapping(obj)
        elif isinstance(obj, PRIVATE_KEYS):
            pem = obj.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            return load_private_key, (pem,)
        return NotImplemented


def _reduced_mapping(obj: defaultdict[Any, Any] | weakref.WeakValueDictionary[Any, Any]) -> Any:
    if isinstance(obj, weakref.WeakValueDictionary):
        return new_weak_values, (), None, None, iter(list(obj.items()))
    factory = obj.default_factory
    if "<locals>" in getattr(factory, "__qualname__", ""):
        # It cannot be stored; `restore_into` fills the dictionary that a new backend has.
        factory = None
    new: Any = vars(copyreg)["__newobj__"]
    # Subclasses take other arguments than a factory, so that none is given.
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
    """What :meth:`_Unpickler.find_class` would refuse must not be written."""
    if obj.__qualname__ in _PLAIN.get(obj.__module__, ()):
        return
    if not (isinstance(obj, type) and obj.__module__.startswith("moto.")):
        raise pickle.PicklingError(f"{obj.__module__}.{obj.__qualname__} is in it")


def _name_of(backend: BaseBackend) -> tuple[str, str, str]:
    for service in list(BackendDict._instances):  # noqa: SLF001 - moto has no other list of them
        for account, region, found in service.iter_backends():
            if found is backend:
                return service.service_name, account, region
    raise pickle.PicklingError(f"{type(backend).__name__} is in no list of moto's backends")


def load(
    data: bytes,
    backend: Callable[[str, str, str], Any],
    file: Callable[[str], BlobFile],
) -> Any:
    """The object of some bytes.

    Args:
        backend: the live backend of a service, account and region.
        file: the file of a name.

    Raises:
        UnknownStateError: the bytes are not what :func:`dump` writes, or name what this moto does not have.
    """
    try:
        return _Unpickler(io.BytesIO(data), backend, file).load()
    except UnknownStateError:
        raise
    except Exception as error:
        raise UnknownStateError(f"{type(error).__name__}: {error}") from error


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        buffer: io.BytesIO,
        backend: Callable[[str, str, str], Any],
        file: Callable[[str], BlobFile],
    ) -> None:
        super().__init__(buffer)
        self._backend = backend
        self._file = file

    def find_class(self, module: str, name: str) -> Any:
        if module == __name__ and name in ("backend_of_name", "file_of_name"):
            return self._backend if name == "backend_of_name" else self._file
        if name in _PLAIN.get(module, ()):
            return super().find_class(module, name)
        if module.startswith("moto."):
            found: Any = importlib.import_module(module)
            for attribute in name.split("."):
                found = getattr(found, attribute)
            if isinstance(found, type) and found.__module__.startswith("moto."):
                return found
        raise UnknownStateError(f"{module}.{name} is nothing that the state of the local endpoint holds")


def restore_into(backend: BaseBackend, state: dict[str, Any]) -> None:
    """Give a new backend the attributes of a stored one."""
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


def _take_over_factories(new: dict[str, Any], stored: dict[str, Any]) -> None:
    """Of a part of a backend: what its dictionaries make where a key is missing could not be stored."""
    for name, value in stored.items():
        if isinstance(value, defaultdict) and value.default_factory is None:
            value.default_factory = getattr(new.get(name), "default_factory", None)
