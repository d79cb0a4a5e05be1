"""Read component signatures from module source code, so that checking an option does not import torch or timm."""

import ast
import inspect
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic

REGISTERING_METHOD = "register"
"""Name of the registry method with which the component of a module is decorated."""

NAMESPACE: Mapping[str, Any] = {
    "Annotated": typing.Annotated,
    "Any": typing.Any,
    "Field": pydantic.Field,
    "Literal": typing.Literal,
    "Mapping": Mapping,
    "Path": Path,
    "Sequence": Sequence,
}
"""Names allowed in annotations, in addition to builtins and the type aliases in the module and the ``base.py`` next to
it."""


def read_signature(path: Path) -> inspect.Signature | None:
    """Read the signature of the component in a module without executing the module.

    Args:
        path: Path of the module.

    Returns:
        A signature without ``self``, in which annotations that cannot be evaluated are omitted and defaults are source
        text. None if the module does not have a decorated class or function with parameters.
    """
    tree = ast.parse(path.read_text("utf-8"))
    component = find_component(tree)
    function = _constructor(component) if isinstance(component, ast.ClassDef) else component
    if function is None:
        return None
    aliases = {**_read_aliases(path.with_name("base.py")), **_aliases(tree)}
    return inspect.Signature(_parameters(function.args, aliases))


def find_component(tree: ast.Module) -> ast.ClassDef | ast.FunctionDef | None:
    """Return the class or function registered by a registry decorator; None if there is none."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and any(map(_registers, node.decorator_list)):
            return node
    return None


def _registers(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Attribute) and decorator.attr == REGISTERING_METHOD


def _constructor(component: ast.ClassDef) -> ast.FunctionDef | None:
    functions = [node for node in component.body if isinstance(node, ast.FunctionDef)]
    return next((node for node in functions if node.name == "__init__"), None)


def _parameters(arguments: ast.arguments, aliases: Mapping[str, Any]) -> list[inspect.Parameter]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [pair for pair in zip(positional, defaults, strict=True) if pair[0].arg != "self"]
    named = [*pairs, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return [
        inspect.Parameter(
            argument.arg,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if default is None else ast.unparse(default),
            annotation=_evaluate(argument.annotation, aliases),
        )
        for argument, default in named
    ]


def _read_aliases(path: Path) -> dict[str, Any]:
    return _aliases(ast.parse(path.read_text("utf-8"))) if path.is_file() else {}


def _aliases(tree: ast.Module) -> dict[str, Any]:
    """Evaluate the type aliases of a module: assignments of subscripted names, such as ``Literal["a", "b"]``."""
    aliases: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp):
            value = _evaluate(node.value, aliases)
            if value is not inspect.Parameter.empty:
                aliases |= {target.id: value for target in node.targets if isinstance(target, ast.Name)}
    return aliases


def _evaluate(annotation: ast.expr | None, aliases: Mapping[str, Any]) -> Any:
    if annotation is None:
        return inspect.Parameter.empty
    try:
        return eval(ast.unparse(annotation), {**NAMESPACE, **aliases})  # noqa: S307 - annotations of installed modules
    except (NameError, TypeError, AttributeError, SyntaxError):
        return inspect.Parameter.empty  # names from other modules are checked when the component is built
