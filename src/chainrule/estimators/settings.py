"""The arguments of an estimator as text, and back.

A network, loss or optimizer is written as the call that makes it: ``Network(Dense(30), ReLU(), Dense(10))`` or, for a
ready network, ``lenet5(10)``.  Reading evaluates nothing: a text is a name of the vocabulary called with literals and
other such calls.
"""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from chainrule.data.augment import Augmentation
from chainrule.data.reader import Reader
from chainrule.data.text import SymbolReader
from chainrule.definition import Definition, plain
from chainrule.errors import ChainruleError
from chainrule.networks import NETWORKS
from chainrule.training.callbacks import EarlyStopping
from chainrule.training.weighting import RowWeighted

PLAIN = (bool, int, float, str, type(None))


def vocabulary() -> dict[str, Callable[..., Any]]:
    """Every name that may be called in a text: the catalogues of all families, and the ready networks."""
    import chainrule.initializers
    import chainrule.layers
    import chainrule.losses
    import chainrule.optimizers
    import chainrule.regularizers  # noqa: F401

    names: dict[str, Callable[..., Any]] = {**NETWORKS, "EarlyStopping": EarlyStopping, "RowWeighted": RowWeighted}
    names |= Augmentation.catalogue
    for family in Definition.__subclasses__():
        names |= family.catalogue
    return names


def read_call(text: str, what: str = "settings") -> Any:
    """The object that a text such as ``Adam(0.001)`` or ``Network(Dense(30), ReLU())`` describes.

    Raises ChainruleError naming what is unknown or no literal.
    """
    return _read(text, vocabulary(), what)


def _read(text: str, names: Mapping[str, Callable[..., Any]], what: str) -> Any:
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise ChainruleError(f"{what}: {text!r} cannot be read ({getattr(error, 'msg', error)})") from None
    return _value(tree.body, names, what)


def is_ready(network: object) -> bool:
    """Whether this is the text of one ready network: its call, or its name alone."""
    if not isinstance(network, str):
        return False
    try:
        tree = ast.parse(network.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return False
    name = tree.func if isinstance(tree, ast.Call) else tree
    return isinstance(name, ast.Name) and name.id in NETWORKS


def ready_network(network: Any, outputs: int | tuple[int, ...], reader: Reader, length: int | None = None) -> Any:
    """The ready network that a text calls, ``lenet5(10)`` or ``lenet5``; anything else is given back as it is.

    One that is not told how many classes there are has ``outputs``, as its vocabulary the symbols of the reader, and
    so many positions, ``length``, if that is given.
    """
    if not is_ready(network):
        return network
    known = {"classes": outputs} | ({"vocabulary": reader.symbols} if isinstance(reader, SymbolReader) else {})
    known |= {} if length is None else {"length": length}
    filled = {name: _with_known(function, known) for name, function in NETWORKS.items()}
    return _read(network, vocabulary() | filled, "network")


def _with_known(function: Callable[..., Any], known: Mapping[str, Any]) -> Callable[..., Any]:
    """The function with what is known as its arguments, where none are given."""
    signature = inspect.signature(function)
    wanted = {name: value for name, value in known.items() if name in signature.parameters}

    def made(*positional: Any, **named: Any) -> Any:
        return function(**{**wanted, **signature.bind_partial(*positional, **named).arguments})

    return made


def _value(node: ast.expr, names: Mapping[str, Callable[..., Any]], what: str) -> Any:
    match node:
        case ast.Constant(value) if isinstance(value, PLAIN):
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(value)) if isinstance(value, int | float):
            return -value
        case ast.Tuple(items) | ast.List(items):
            return tuple(_value(item, names, what) for item in items)
        case ast.Name(name):
            return _made(_named(name, names, what), node, what)
        case ast.Call(ast.Name(name), arguments, keywords):
            positional = [_value(argument, names, what) for argument in arguments]
            named = {keyword.arg: _value(keyword.value, names, what) for keyword in keywords if keyword.arg}
            return _made(_named(name, names, what), node, what, *positional, **named)
    raise ChainruleError(f"{what}: {ast.unparse(node)!r} is neither a literal nor a name of the vocabulary")


def _made(function: Callable[..., Any], node: ast.expr, what: str, /, *positional: Any, **named: Any) -> Any:
    try:
        return function(*positional, **named)
    except TypeError as error:
        problem = str(error).replace("__init__() ", "").split(".", 1)[-1]
        raise ChainruleError(f"{what}: {ast.unparse(node)}: {problem}") from None


def _named(name: str, names: Mapping[str, Callable[..., Any]], what: str) -> Callable[..., Any]:
    if name not in names:
        spelt = {known.lower(): known for known in names}
        near = difflib.get_close_matches(name.lower(), spelt, 1)
        raise ChainruleError(f"{what}: unknown name {name}" + (f"; did you mean {spelt[near[0]]}?" if near else ""))
    return names[name]


def settings_to_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as JSON: literals as they are, definitions as ``{"call": text}``.

    What has no text (a function as a layer, a callback, a generator of random numbers) is left out; ``left_out`` lists
    the names.
    """
    written: dict[str, Any] = {}
    left_out = []
    for name, value in settings.items():
        value = plain(value)
        if isinstance(value, Mapping):
            value = {plain(key): plain(part) for key, part in value.items()}
        if isinstance(value, PLAIN):
            written[name] = value
        elif isinstance(value, Mapping) and all(isinstance(part, PLAIN) for pair in value.items() for part in pair):
            written[name] = {"mapping": [list(pair) for pair in value.items()]}
        elif _has_text(value):
            written[name] = {"call": repr(value)}
        else:
            left_out.append(name)
    return {**written, **({"left_out": left_out} if left_out else {})}


def settings_from_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """What ``settings_to_json`` wrote."""
    settings: dict[str, Any] = {}
    for name, value in data.items():
        if name == "left_out":
            continue
        if isinstance(value, Mapping):
            value = read_call(value["call"], name) if "call" in value else {k: v for k, v in value["mapping"]}
        settings[name] = value
    return settings


def _has_text(value: Any) -> bool:
    try:
        return bool(read_call(repr(value)) == value)
    except ChainruleError:
        return False
