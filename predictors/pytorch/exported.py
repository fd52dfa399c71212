"""``torch.export`` programs and AOTInductor packages: both are ``.pt2`` archives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import ConstantArgument, InputKind, OutputKind, TensorArgument
from torch.utils import _pytree as pytree

from predictors.pytorch.config import ModelConfig
from predictors.pytorch.device import Device
from predictors.pytorch.program import Program, named_outputs
from predictors.pytorch.sharing import share_exported
from predictors.pytorch.types import datatype
from predictors.serving.errors import ModelLoadError
from predictors.serving.tensors import TensorSpec

__all__ = ["load_pt2", "open_runner"]

_RUNNERS: Final = 4
"""Calls that one compiled model can run at a time; they share its constants."""


def load_pt2(file: Path, config: ModelConfig, device: Device) -> Program:
    """The one program in `file`: what AOTInductor compiled, else what ``torch.export`` traced.

    Raises `ModelLoadError`.
    """
    try:
        compiled, programs = _contents(file)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelLoadError(
            f"{file} cannot be loaded by torch {torch.__version__}: {type(error).__name__}: "
            f"{reason}. Is it complete, and written by this version of torch?"
        ) from error
    chosen = compiled or list(programs)
    if len(chosen) != 1:
        raise ModelLoadError(
            f"{file} holds {len(chosen)} models ({', '.join(chosen) or 'none'}); exactly one is "
            "expected."
        )
    [name] = chosen
    if compiled:
        return _compiled(file, open_runner(file, name), config, programs.get(name))
    return _traced(file, name, programs[name], config, device)


def open_runner(file: Path, name: str) -> Any:
    """The machine code of model `name`, callable by as many threads as the server has.

    torch's own function for this imports its compiler, which takes seconds, for a warning.
    """
    from torch.export.pt2_archive._package import AOTICompiledModel

    loader = torch._C._aoti.AOTIModelPackageLoader(str(file), name, False, _RUNNERS, -1)
    return AOTICompiledModel(loader)


def _contents(file: Path) -> tuple[list[str], dict[str, ExportedProgram]]:
    """The names of compiled models in an archive, and the traced programs."""
    from torch.export.pt2_archive import _package as package
    from torch.export.pt2_archive.constants import AOTINDUCTOR_DIR

    with package.PT2ArchiveReader(str(file)) as reader:
        names = reader.get_file_names()
        programs = package._load_exported_programs(reader, names, None)
    folders = (name.removeprefix(AOTINDUCTOR_DIR) for name in names if AOTINDUCTOR_DIR in name)
    return sorted({folder.partition("/")[0] for folder in folders}), programs


def _traced(
    file: Path, name: str, program: ExportedProgram, config: ModelConfig, device: Device
) -> Program:
    inputs = tuple(_inputs(program, file))
    if device.accelerated:
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, device.name)
    else:
        share_exported(file, name, program)
    module = program.module()
    arguments = _rebuild(program)

    def call(values: Sequence[torch.Tensor]) -> object:
        args, kwargs = arguments(values)
        return module(*args, **kwargs)

    return Program(
        "torch.export",
        call,
        _merged(inputs, config, file),
        config.outputs or tuple(_outputs(program)),
        module,
        _example(program),
    )


def _compiled(
    file: Path, runner: Any, config: ModelConfig, program: ExportedProgram | None
) -> Program:
    """Machine code tells no names: they are the config's, or of the program in the same archive."""
    inputs, outputs, example = config.inputs, config.outputs, ()
    if program is not None:
        inputs = _merged(tuple(_inputs(program, file)), config, file)
        outputs = outputs or tuple(_outputs(program))
    if not inputs:
        raise ModelLoadError(
            f"{file} is compiled by AOTInductor, which keeps no names of inputs. Name them, with "
            'datatypes and shapes, in model.json: {"inputs": [{"name": "x", "datatype": "FP32", '
            '"shape": [-1, 4]}]}, in the order of the call.'
        )
    keys = _keywords(runner)

    def call(values: Sequence[torch.Tensor]) -> object:
        count = len(values) - len(keys)
        return runner(*values[:count], **dict(zip(keys, values[count:], strict=True)))

    device = str(runner.get_metadata().get("AOTI_DEVICE_KEY", "cpu"))
    return Program("aotinductor", call, inputs, outputs, example=example, device=device)


def _keywords(runner: Any) -> list[str]:
    """The names of arguments that were given by name when it was exported."""
    spec = pytree.treespec_loads(runner.loader.get_call_spec()[0])
    _, kwargs = spec.children()
    return [str(key) for key in kwargs.context or ()]


def _merged(own: tuple[TensorSpec, ...], config: ModelConfig, file: Path) -> tuple[TensorSpec, ...]:
    """The program's inputs, by the names of the config where that lists as many."""
    if not config.inputs:
        return own
    if len(config.inputs) != len(own):
        raise ModelLoadError(
            f"{file} takes {len(own)} inputs ({', '.join(spec.name for spec in own)}), its "
            f"configuration lists {len(config.inputs)}."
        )
    by_name = {spec.name: spec for spec in config.inputs}
    if by_name.keys() == {spec.name for spec in own}:
        return tuple(own)
    return tuple(
        spec._replace(name=told.name) for spec, told in zip(own, config.inputs, strict=True)
    )


def _inputs(program: ExportedProgram, file: Path) -> Iterator[TensorSpec]:
    values = _placeholders(program)
    for spec in program.graph_signature.input_specs:
        if spec.kind is not InputKind.USER_INPUT or isinstance(spec.arg, ConstantArgument):
            continue
        if not isinstance(spec.arg, TensorArgument):
            raise ModelLoadError(
                f"{file}: input {spec.arg.name} is a {type(spec.arg).__name__}; the exported "
                "module must take tensors."
            )
        yield _spec(spec.arg.name, values[spec.arg.name])


def _outputs(program: ExportedProgram) -> Iterator[TensorSpec]:
    """Named as the values of a call will be: by the tree that the module returned."""
    [output] = [node for node in program.graph.nodes if node.op == "output"]
    values = {str(arg): arg.meta.get("val") for arg in output.args[0] if hasattr(arg, "meta")}
    user = [s for s in program.graph_signature.output_specs if s.kind is OutputKind.USER_OUTPUT]
    leaves = [values.get(getattr(spec.arg, "name", "")) for spec in user]
    spec = program.call_spec.out_spec
    if spec is None or any(not isinstance(leaf, torch.Tensor) for leaf in leaves):
        return
    for name, value in named_outputs(pytree.tree_unflatten(leaves, spec)).items():
        yield _spec(name, value)


def _spec(name: str, value: torch.Tensor) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    return TensorSpec(name, datatype(value.dtype), shape)


def _placeholders(program: ExportedProgram) -> dict[str, torch.Tensor]:
    return {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"}


def _rebuild(
    program: ExportedProgram,
) -> Callable[[Sequence[torch.Tensor]], tuple[tuple[Any, ...], dict[str, Any]]]:
    """What puts tensors, and constants exported between them, into the call's tree."""
    user = [s for s in program.graph_signature.input_specs if s.kind is InputKind.USER_INPUT]
    fixed = [
        (index, spec.arg.value)
        for index, spec in enumerate(user)
        if isinstance(spec.arg, ConstantArgument)
    ]
    spec = program.call_spec.in_spec

    def rebuild(values: Sequence[torch.Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        leaves: list[Any] = list(values)
        for index, value in fixed:
            leaves.insert(index, value)
        if spec is None:
            return tuple(leaves), {}
        args, kwargs = pytree.tree_unflatten(leaves, spec)
        return args, kwargs

    return rebuild


def _example(program: ExportedProgram) -> tuple[torch.Tensor, ...]:
    if program.example_inputs is None:
        return ()
    leaves, _ = pytree.tree_flatten(program.example_inputs)
    return tuple(leaf for leaf in leaves if isinstance(leaf, torch.Tensor))
