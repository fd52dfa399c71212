"""A step of Llama, Mistral and Qwen2 in a third of the kernels that the models' own code launches.

Where a step is recorded, a kernel that computes nearly nothing still takes two microseconds, and a
thousand million weights are read in less than a thousand: kernels are counted. A norm is one;
query, key and value are one product, as are gate and up; the positions' rotation is a matrix made
once a step, so that a layer's is one product; residuals are added by the products that end in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch.nn import Linear, Parameter
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention
from transformers import PreTrainedModel

from predictors.huggingface.generation.static.slots import Step

__all__ = ["LlamaStep", "is_llama"]

_CLASSES: Final = (
    "transformers.models.llama.modeling_llama.LlamaForCausalLM",
    "transformers.models.mistral.modeling_mistral.MistralForCausalLM",
    "transformers.models.qwen2.modeling_qwen2.Qwen2ForCausalLM",
)
"""By name: to import them all would take longer than to load many a model."""
_ROTATIONS: Final = ("default", "linear", "llama3", "yarn")
"""Those whose angles depend on the position alone."""


def is_llama(model: PreTrainedModel) -> bool:
    """Whether `model` is one that `LlamaStep` computes."""
    kind = type(model)
    if f"{kind.__module__}.{kind.__qualname__}" not in _CLASSES:
        return False
    body: Any = model.model
    rotation: Any = body.rotary_emb
    size = 2 * rotation.inv_freq.shape[0]
    return rotation.rope_type in _ROTATIONS and size == body.layers[0].self_attn.head_dim


class LlamaStep:
    """Computes one token of each row with the weights of `model`.

    With `fuse` products are joined: weights that are multiplied by the same numbers become one
    tensor, of which the model's own are parts from then on. Not for weights that are shared with
    other processes.
    """

    def __init__(self, model: PreTrainedModel, *, fuse: bool) -> None:
        body: Any = model.model
        head: Any = model.lm_head
        self._embed = body.embed_tokens
        self._rotary = body.rotary_emb
        self._layers = [_Layer(each, fuse=fuse) for each in body.layers]
        self._norm = _Norm(body.norm)
        self._head = head
        size = body.layers[0].self_attn.head_dim
        same = torch.eye(size, device=head.weight.device, dtype=head.weight.dtype)
        half = same.roll(size // 2, 0)
        half[:, : size // 2].neg_()
        self._same, self._half = same, half

    def __call__(self, step: Step) -> torch.Tensor:
        """The logits ``[rows, vocabulary]`` after `step`'s tokens."""
        hidden = self._embed(step.ids)
        cos, sin = self._rotary(hidden, step.at[:, None])
        # ``x @ turn`` is x * cos + rotate_half(x) * sin.
        turn = torch.addcmul(self._same * cos, self._half, sin)
        _, rows, heads, columns, _ = step.keys.shape
        mask = step.mask.expand(rows, heads, 1, columns).reshape(-1, 1, 1, columns)
        for number, layer in enumerate(self._layers):
            layer(number, hidden, turn, mask, step)
        logits: torch.Tensor = self._head(self._norm(hidden))
        return logits


class _Layer:
    """A decoder layer; adds to the numbers it is given."""

    def __init__(self, layer: Any, *, fuse: bool) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self._size: int = attention.head_dim
        self._scale: float = attention.scaling
        self._groups: int = attention.num_key_value_groups
        self._before = _Norm(layer.input_layernorm)
        self._between = _Norm(layer.post_attention_layernorm)
        inputs = (attention.q_proj, attention.k_proj, attention.v_proj)
        self._inputs = _together(inputs) if fuse else None
        self._query, self._key, self._value = inputs
        self._out = _Added(attention.o_proj, at_once=fuse)
        self._wide = _together((mlp.gate_proj, mlp.up_proj)) if fuse else None
        self._gate, self._up, self._act = mlp.gate_proj, mlp.up_proj, mlp.act_fn
        self._down = _Added(mlp.down_proj, at_once=fuse)

    def __call__(
        self,
        number: int,
        hidden: torch.Tensor,
        turn: torch.Tensor,
        mask: torch.Tensor,
        step: Step,
    ) -> None:
        query, keys, values = self._projected(self._before(hidden), turn)
        step.write(number, keys, values)
        # Queries that share a key's head are as rows of one head, and each head is as a row of the
        # batch: so the result lies as the next product wants it.
        seen = scaled_dot_product_attention(
            query.reshape(-1, 1, self._groups, self._size),
            step.keys[number].flatten(0, 1)[:, None],
            step.values[number].flatten(0, 1)[:, None],
            attn_mask=mask,
            scale=self._scale,
        )
        self._out(hidden, seen.reshape(len(hidden), -1))
        normal = self._between(hidden)
        if self._wide is None:
            gate, up = self._gate(normal), self._up(normal)
        else:
            gate, up = self._wide(normal).chunk(2, -1)
        self._down(hidden, self._act(gate) * up)

    def _projected(
        self, normal: torch.Tensor, turn: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values ``[rows, heads, size]``, the first two at their positions."""
        rows, size = len(normal), self._size
        if self._inputs is None:
            query = torch.bmm(self._query(normal).view(rows, -1, size), turn)
            key = torch.bmm(self._key(normal).view(rows, -1, size), turn)
            return query, key, self._value(normal).view(rows, -1, size)
        made = self._inputs(normal).view(rows, -1, size)
        heads = made.shape[1] // (self._groups + 2)
        turned = torch.bmm(made[:, :-heads], turn)
        return turned[:, :-heads], turned[:, -heads:], made[:, -heads:]


class _Norm:
    """A layer's root mean square norm, by torch's one kernel."""

    def __init__(self, norm: Any) -> None:
        self._norm = norm

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        weight = self._norm.weight
        return rms_norm(hidden, weight.shape, weight, self._norm.variance_epsilon)


class _Added:
    """A linear layer whose result is added in place, with `at_once` by the product itself."""

    def __init__(self, layer: Linear, *, at_once: bool) -> None:
        self._layer = layer
        self._at_once = at_once and layer.bias is None

    def __call__(self, hidden: torch.Tensor, inner: torch.Tensor) -> None:
        if self._at_once:
            hidden.addmm_(inner, self._layer.weight.t())
        else:
            hidden += self._layer(inner)


class _Together:
    """Linear layers of the same input as one."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self._weight = weight
        self._bias = bias

    def __call__(self, inner: torch.Tensor) -> torch.Tensor:
        return linear(inner, self._weight, self._bias)


def _together(layers: Sequence[Linear]) -> _Together:
    weight = torch.cat([layer.weight for layer in layers])
    parts = torch.split(weight, [len(layer.weight) for layer in layers])
    for layer, part in zip(layers, parts, strict=True):
        layer.weight = Parameter(part, requires_grad=False)
    bias = None if layers[0].bias is None else torch.cat([layer.bias for layer in layers])
    return _Together(weight, bias)
