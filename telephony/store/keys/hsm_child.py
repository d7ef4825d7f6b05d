"""Asks an HSM one thing over PKCS#11 (OASIS PKCS #11 2.40) in a process of its own: run by `telephony.store.keys.hsm`.

A vendor's module may hang, start threads or crash; here it does so beside the daemon and not in it. What is asked comes as a
JSON object on standard input, PIN included, and the answer goes to standard output: ``{"fault": …, "detail": …}`` or what was
asked for. It knows nothing of this project, so that it starts in a tenth of a second.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
from typing import Any

AES_BITS = 256
NONCE_OCTETS = 12
TAG_BITS = 128
ID_OCTETS = 8

PIN_FAULTS = ("PinIncorrect", "PinInvalid", "PinLenRange", "PinLocked", "PinExpired", "UserPinNotInitialized")
CHANGED_FAULTS = ("EncryptedDataInvalid", "EncryptedDataLenRange", "DataInvalid", "DataLenRange")


class Fault(Exception):  # noqa: N818 - an answer to the parent
    """The HSM does not do what was asked; the first argument is the kind (`telephony.store.keys.hsm.HsmTrouble`)."""


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked: look, make, wrap or unwrap. Raises `Fault`."""
    try:
        pkcs11 = importlib.import_module("pkcs11")
    except ImportError as error:
        raise Fault("library", str(error)) from error
    errors = importlib.import_module("pkcs11.exceptions")
    try:
        module = pkcs11.lib(asked["module"])
    except (RuntimeError, OSError) as error:
        raise Fault("module", _words(error)) from error
    try:
        return _on_the_token(pkcs11, module, asked)
    except errors.PKCS11Error as error:
        raise Fault(_kind(error), _words(error)) from error


def _on_the_token(pkcs11: Any, module: Any, asked: dict[str, Any]) -> dict[str, Any]:
    tokens = list(module.get_tokens())
    labels = [token.label for token in tokens]
    if labels.count(asked["token"]) != 1:
        there = ", ".join(f'"{label}"' for label in labels if label) or "none"
        raise Fault("token", f"tokens that are there: {there}")
    token = tokens[labels.index(asked["token"])]
    with token.open(user_pin=asked["pin"], rw=asked["do"] == "make") as session:
        match asked["do"]:
            case "look":
                return _look(pkcs11, token, session, asked)
            case "make":
                return _make(pkcs11, session, asked)
            case "wrap":
                nonce, octets = os.urandom(NONCE_OCTETS), bytes.fromhex(asked["octets"])
                sealed = _key(pkcs11, session, asked).encrypt(octets, **_gcm(pkcs11, nonce, asked))
                return {"octets": (nonce + sealed).hex()}
            case _:
                octets = bytes.fromhex(asked["octets"])
                nonce, sealed = octets[:NONCE_OCTETS], octets[NONCE_OCTETS:]
                return {
                    "octets": _key(pkcs11, session, asked).decrypt(sealed, **_gcm(pkcs11, nonce, asked)).hex()
                }


def _look(pkcs11: Any, token: Any, session: Any, asked: dict[str, Any]) -> dict[str, Any]:
    if pkcs11.Mechanism.AES_GCM not in token.slot.get_mechanisms():
        raise Fault("mechanism", "the token does not offer CKM_AES_GCM")
    attribute = pkcs11.Attribute
    keys = [
        {"id": key.id.hex(), "leaves": bool(key[attribute.EXTRACTABLE]) or not key[attribute.SENSITIVE]}
        for key in session.get_objects(
            {attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY, attribute.LABEL: asked["label"]}
        )
    ]
    return {"keys": keys}


def _make(pkcs11: Any, session: Any, asked: dict[str, Any]) -> dict[str, Any]:
    key_id = os.urandom(ID_OCTETS)
    attribute, may = pkcs11.Attribute, pkcs11.MechanismFlag
    session.generate_key(
        pkcs11.KeyType.AES,
        AES_BITS,
        id=key_id,
        label=asked["label"],
        store=True,
        capabilities=may.ENCRYPT | may.DECRYPT,
        template={attribute.SENSITIVE: True, attribute.EXTRACTABLE: False, attribute.PRIVATE: True},
    )
    return {"id": key_id.hex()}


def _key(pkcs11: Any, session: Any, asked: dict[str, Any]) -> Any:
    try:
        return session.get_key(
            object_class=pkcs11.ObjectClass.SECRET_KEY, label=asked["label"], id=bytes.fromhex(asked["id"])
        )
    except pkcs11.NoSuchKey:
        raise Fault("key", f'no key "{asked["label"]}" with the id {asked["id"]}') from None


def _gcm(pkcs11: Any, nonce: bytes, asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "mechanism": pkcs11.Mechanism.AES_GCM,
        "mechanism_param": pkcs11.GCMParams(nonce, bytes.fromhex(asked["place"]), TAG_BITS),
    }


def _kind(error: BaseException) -> str:
    name = type(error).__name__
    if name in PIN_FAULTS:
        return "pin"
    if name in CHANGED_FAULTS:
        return "changed"
    if name in ("NoSuchKey", "MultipleObjectsReturned"):
        return "key"
    return "mechanism" if name.startswith("Mechanism") else "device"


def _words(error: BaseException) -> str:
    return f"{type(error).__name__} {error}".strip()


def main() -> None:
    """Answer once."""
    resource.setrlimit(
        resource.RLIMIT_CORE, (0, 0)
    )  # a module that crashes would leave PIN and key on the disk
    asked = json.loads(sys.stdin.buffer.read())
    signal.alarm(int(asked["ends_within_s"]))  # the parent may be gone, and the module hang
    own = os.dup(1)
    os.dup2(2, 1)  # modules print
    try:
        told = answer(asked)
    except Fault as fault:
        told = {"fault": fault.args[0], "detail": fault.args[1]}
    os.write(own, json.dumps(told).encode())
    os._exit(0)  # not through the module's own end, which may hang or crash


if __name__ == "__main__":
    main()
