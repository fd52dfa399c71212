"""Whisper beyond its window, and sounds of every kind that is taken."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import pre_tokenizers

from predictors.serving.errors import InvalidInputError

pytestmark = pytest.mark.filterwarnings("ignore")

transformers: Any = pytest.importorskip("transformers")

RATE = 16000
SPECIAL = (
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>",
    "<|transcribe|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
)  # fmt: skip


def wav(samples: Any, rate: int = RATE) -> str:
    """A WAV file of floats, as base64."""
    body = np.asarray(samples, "<f4").tobytes()
    head = np.array([3 | 1 << 16, rate, 4 * rate, 4 | 32 << 16], "<u4").tobytes()
    file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + head + b"data\xff\xff\xff\xff" + body
    return b64encode(file).decode()


def noise(seconds: float) -> Any:
    samples = np.random.default_rng(0).standard_normal(int(seconds * RATE)) * 0.1
    return samples.astype(np.float32)


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whisper with random weights: it says nonsense, at times that it makes up."""
    import torch

    folder = tmp_path_factory.mktemp("whisper")
    words = {word: at for at, word in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    files = (str(folder / "vocab.json"), str(folder / "merges.txt"))
    ends = {"unk_token": "a", "bos_token": SPECIAL[0], "eos_token": SPECIAL[0]}
    tokenizer = transformers.WhisperTokenizer(*files, **ends)
    added = transformers.AddedToken
    tokenizer.add_tokens([added(word, special=True) for word in SPECIAL], special_tokens=True)
    tokenizer.add_tokens([added(f"<|{step * 0.02:.2f}|>") for step in range(1501)])
    ids = {word: tokenizer.convert_tokens_to_ids(word) for word in SPECIAL}
    sizes = (("layers", 1), ("attention_heads", 2), ("ffn_dim", 16))
    small = {f"{part}_{what}": size for part in ("encoder", "decoder") for what, size in sizes}
    end = ids["<|endoftext|>"]
    config = transformers.WhisperConfig(
        vocab_size=len(tokenizer), d_model=16, max_target_positions=64, pad_token_id=end,
        bos_token_id=end, eos_token_id=end, decoder_start_token_id=end + 1, **small,
    )  # fmt: skip
    torch.manual_seed(1)
    model = transformers.WhisperForConditionalGeneration(config)
    told = {
        "_from_model_config": False,
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "lang_to_id": {"<|en|>": ids["<|en|>"], "<|de|>": ids["<|de|>"]},
        "task_to_id": {name: ids[f"<|{name}|>"] for name in ("transcribe", "translate")},
        "prev_sot_token_id": ids["<|startofprev|>"],
        "is_multilingual": True,
        "max_length": 24,
        "max_initial_timestamp_index": 50,
        "suppress_tokens": [],
        "begin_suppress_tokens": [],
    }
    for name, value in told.items():
        setattr(model.generation_config, name, value)
    model.save_pretrained(folder)
    extractor = transformers.WhisperFeatureExtractor()
    transformers.WhisperProcessor(extractor, tokenizer).save_pretrained(folder)
    return folder


async def test_whisper_reads_on_beyond_its_window(
    whisper: Path, serve: Any, v1_ask: Any, v2_ask: Any
) -> None:
    model = serve(whisper)
    long = wav(noise(40))
    asked = {"instances": [long], "parameters": {"return_timestamps": True, "language": "en"}}
    [told] = await v1_ask(model, asked)
    assert told["chunks"][-1]["timestamp"][0] > 30
    assert told["text"] == "".join(chunk["text"] for chunk in told["chunks"])
    [plain] = await v1_ask(model, {"instances": [long], "parameters": {"language": "en"}})
    assert plain == {"text": told["text"]}
    outputs = await v2_ask(model, {"audio": [long]}, return_timestamps=True, language="en")
    assert json.loads(outputs["chunks"]["data"][0])[-1]["timestamp"][0] > 30
    with pytest.raises(InvalidInputError, match="Unsupported language: klingon"):
        await v1_ask(model, {"instances": [long], "parameters": {"language": "klingon"}})
    with pytest.raises(InvalidInputError, match="task must be one of transcribe, translate"):
        await v1_ask(model, {"instances": [long], "parameters": {"task": "sing"}})


@pytest.mark.parametrize(
    ("samples", "rate", "told"),
    [
        (np.array([0.1, np.nan]), RATE, "samples that are no numbers"),
        (np.zeros(3_700_000), 1000, "a sound of 3700 s; up to 3600 s are taken"),
        (np.zeros(0), RATE, "without samples"),
    ],
)
async def test_sounds_that_are_refused(
    whisper: Path, serve: Any, v1_ask: Any, samples: Any, rate: int, told: str
) -> None:
    with pytest.raises(InvalidInputError, match=told):
        await v1_ask(serve(whisper), {"instances": [wav(samples, rate)]})
