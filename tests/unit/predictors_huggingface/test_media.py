"""Images and sound: files in, answers of transformers' pipelines out, broken files told."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import wave
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from predictors.huggingface.calls import Call
from predictors.huggingface.media.files import (
    example_image,
    example_sound,
    images_of,
    resampled,
)
from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.openapi.examples import v1_example, v2_example

pytestmark = pytest.mark.filterwarnings("ignore")

transformers: Any = pytest.importorskip("transformers")
soundfile: Any = pytest.importorskip("soundfile")

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "image_size": 32,
    "patch_size": 16,
}
NAMES = {0: "cat", 1: "dog"}
PIXELS = np.random.default_rng(5).integers(0, 255, (40, 50, 3), np.uint8)


def picture() -> str:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    return b64encode(file.getvalue()).decode()


def saved(folder: Path, kind: str, config: Any, *others: Any) -> Path:
    for each in (getattr(transformers, kind)(config), *others):
        each.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = transformers.ViTConfig(
        **SMALL, id2label=NAMES, label2id={name: key for key, name in NAMES.items()}
    )
    processor = transformers.ViTImageProcessorPil(size={"height": 32, "width": 32})
    folder = tmp_path_factory.mktemp("vit")
    return saved(folder, "ViTForImageClassification", config, processor)


async def test_image_classification(vit: Path, serve: Any, v1_ask: Any, v2_ask: Any) -> None:
    want = transformers.pipeline("image-classification", model=str(vit))(Image.fromarray(PIXELS))
    model = serve(vit)
    [got] = await v1_ask(model, {"instances": [{"image": {"b64": picture()}}]})
    assert [each["label"] for each in got] == [each["label"] for each in want]
    assert [e["score"] for e in got] == pytest.approx([e["score"] for e in want], abs=1e-5)
    assert await v1_ask(model, {"instances": [f"data:image/png;base64,{picture()}"]}) == [got]
    outputs = await v2_ask(model, {"image": [picture()]}, top_k=1)
    assert outputs["labels"]["data"] == [got[0]["label"]]
    assert outputs["scores"]["shape"] == [1, 1]
    assert model.metadata_extra["task"] == "image-classification"


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (b64encode(b"no image at all").decode(), r"^instances\[0\] is no image of a format"),
        (picture()[:400], "is no image|is not base64"),
        ("???", "is not base64"),
        ("http://example.com/cat.png", "fetches nothing for a request"),
        (7, "must be an image"),
    ],
)
async def test_broken_images(vit: Path, serve: Any, v1_ask: Any, image: Any, told: str) -> None:
    model = serve(vit)
    with pytest.raises(InvalidInputError, match=told):
        await v1_ask(model, {"instances": [{"image": image}]})


async def test_a_broken_image_costs_its_neighbours_nothing(
    vit: Path, serve: Any, v1_ask: Any
) -> None:
    model = serve(vit)
    asked = [{"instances": [picture()]}, {"instances": [picture(), "AAAA"]}] * 3
    answers = await asyncio.gather(*(v1_ask(model, a) for a in asked), return_exceptions=True)
    assert all(isinstance(each, InvalidInputError) for each in answers[1::2])
    assert answers[0] == answers[2] == answers[4]
    assert "instances[1]" in str(answers[1])


def test_a_head_of_random_weights_is_refused(vit: Path, tmp_path: Path, serve: Any) -> None:
    shutil.copytree(vit, tmp_path / "m")
    file = tmp_path / "m" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "num_hidden_layers": 2}))
    with pytest.raises(ModelLoadError, match=r"no weights for .*, which image-classification"):
        serve(tmp_path / "m")


async def test_segmentation_gives_masks_as_png(tmp_path: Path, serve: Any, v1_ask: Any) -> None:
    config = transformers.SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[8, 8],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 1],
        mlp_ratios=[2, 2],
        decoder_hidden_size=8,
        id2label=NAMES,
        label2id={"cat": 0, "dog": 1},
    )
    processor = transformers.SegformerImageProcessorPil(size={"height": 32, "width": 32})
    saved(tmp_path, "SegformerForSemanticSegmentation", config, processor)
    model = serve(tmp_path)
    [segments] = await v1_ask(model, v1_example(model))
    assert segments
    mask = Image.open(io.BytesIO(b64decode(segments[0]["mask"])))
    assert mask.size == (32, 32)
    assert segments[0]["label"] in NAMES.values()


async def test_detection(tmp_path: Path, serve: Any, v1_ask: Any, v2_ask: Any) -> None:
    config = transformers.YolosConfig(
        **{**SMALL, "image_size": [32, 32]}, num_detection_tokens=3, id2label=NAMES,
        label2id={"cat": 0, "dog": 1},
    )  # fmt: skip
    processor = transformers.YolosImageProcessorPil(size={"height": 32, "width": 32})
    saved(tmp_path, "YolosForObjectDetection", config, processor)
    model = serve(tmp_path)
    body = {"instances": [picture()], "parameters": {"threshold": 0.0}}
    [objects] = await v1_ask(model, body)
    want = transformers.pipeline("object-detection", model=str(tmp_path))
    assert objects == want(Image.fromarray(PIXELS), threshold=0.0)
    outputs = await v2_ask(model, {"image": [picture()]}, threshold=0.0)
    assert json.loads(outputs["objects"]["data"][0]) == objects


async def test_visual_questions(bert: Any, tmp_path: Path, serve: Any, v1_ask: Any) -> None:
    vocabulary = bert("BertModel")
    config = transformers.ViltConfig(
        **SMALL, vocab_size=60, id2label={0: "yes", 1: "no", 2: "2"}, max_position_embeddings=64,
        label2id={"yes": 0, "no": 1, "2": 2},
    )  # fmt: skip
    processor = transformers.ViltProcessor(
        transformers.ViltImageProcessorPil(size={"shortest_edge": 32}, size_divisor=16),
        transformers.BertTokenizer.from_pretrained(vocabulary),
    )
    saved(tmp_path, "ViltForQuestionAnswering", config, processor)
    model = serve(tmp_path)
    asked = {"image": {"b64": picture()}, "question": "what is it ?"}
    [answers] = await v1_ask(model, {"instances": [asked], "parameters": {"top_k": 2}})
    assert len(answers) == 2
    assert answers[0]["answer"] in ("yes", "no", "2")
    assert answers[0]["score"] >= answers[1]["score"]
    with pytest.raises(InvalidInputError, match=r"instances\[0\].question is empty"):
        await v1_ask(model, {"instances": [{**asked, "question": ""}]})


@pytest.fixture(scope="module")
def ctc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ctc")
    letters = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "A": 5, "B": 6, "C": 7}
    (folder / "vocab.json").write_text(json.dumps(letters))
    config = transformers.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        conv_dim=(8, 8), conv_stride=(5, 2), conv_kernel=(10, 3), num_feat_extract_layers=2,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, vocab_size=8,
    )  # fmt: skip
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    extractor = transformers.Wav2Vec2FeatureExtractor()
    processor = transformers.Wav2Vec2Processor(extractor, tokenizer)
    return saved(folder, "Wav2Vec2ForCTC", config, processor)


async def test_speech(ctc: Path, serve: Any, v1_ask: Any, v2_ask: Any) -> None:
    model = serve(ctc)
    samples = np.sin(np.arange(8000) / 5).astype(np.float32)
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16000)
        writer.writeframes((samples * 32767).astype("<i2").tobytes())
    sound = b64encode(file.getvalue()).decode()
    rounded = (samples * 32767).astype(np.int16).astype(np.float32) / 32768
    want = model.ask({"raw": rounded, "sampling_rate": 16000})["text"]
    [got] = await v1_ask(model, {"instances": [{"audio": {"b64": sound}}]})
    assert got["text"] == want
    outputs = await v2_ask(model, {"audio": [sound]})
    assert outputs["text"]["data"] == [want]
    packed = io.BytesIO()
    soundfile.write(packed, rounded, 16000, format="FLAC", subtype="PCM_16")
    [same] = await v1_ask(model, {"instances": [b64encode(packed.getvalue()).decode()]})
    assert same["text"] == want
    with pytest.raises(InvalidInputError, match=r"cannot be read as a sound: .* looks like MP3\."):
        await v1_ask(model, {"instances": [b64encode(b"ID3 mp3").decode()]})
    example = v2_example(model)["inputs"][0]
    assert await v2_ask(model, {"audio": example["data"]})


@pytest.mark.parametrize(
    ("rate", "size", "parameters", "told"),
    [
        (1, 3200, {}, "says that it has 1 samples a second"),
        (16000, 2, {}, "refused the input: .*[Kk]ernel size"),
        (16000, 3200, {"return_timestamps": True}, "refused the input: CTC"),
        (16000, 3200, {"language": "en"}, "language is Whisper's"),
        (16000, 3200, {"chunk_length_s": 0}, "chunk_length_s must be a number from 5 to 300"),
        (16000, 3200, {"return_timestamps": "always"}, 'must be true, false, "word" or "char"'),
    ],
)
async def test_sounds_that_the_model_is_not_made_for(
    ctc: Path, serve: Any, v1_ask: Any, rate: int, size: int, parameters: Any, told: str
) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(bytes(size))
    sound = b64encode(file.getvalue()).decode()
    with pytest.raises(InvalidInputError, match=told):
        await v1_ask(serve(ctc), {"instances": [sound], "parameters": parameters})


def test_long_sounds_are_heard_in_parts(ctc: Path, serve: Any) -> None:
    model = serve(ctc)
    assert model._cut(None, 61.0) == {"chunk_length_s": 30.0}
    assert model._cut(None, 59.0) == {}
    assert model._cut(5.0, 59.0) == {"chunk_length_s": 5.0}
    sound = np.sin(np.arange(16000) / 5).astype(np.float32)
    told = model.ask({"raw": sound, "sampling_rate": 16000}, chunk_length_s=0.6)
    assert isinstance(told["text"], str)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "BMP", "TIFF"])
async def test_formats_of_images(vit: Path, serve: Any, v1_ask: Any, kind: str) -> None:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, kind)
    [got] = await v1_ask(serve(vit), {"instances": [b64encode(file.getvalue()).decode()]})
    assert got[0]["label"] in NAMES.values()


def test_images_are_upright_and_16_bits_are_not_white() -> None:
    def decoded(image: Any, kind: str, **more: Any) -> Any:
        file = io.BytesIO()
        image.save(file, kind, **more)
        call = Call([{"image": file.getvalue()}], ["instances[0]"], {})
        return np.asarray(images_of(call)[0])

    turned = Image.Exif()
    turned[0x112] = 6
    assert decoded(Image.fromarray(PIXELS), "JPEG", exif=turned).shape == (50, 40, 3)
    deep = Image.fromarray(np.arange(0, 65536, 1024).astype(np.uint16).reshape(8, 8))
    assert decoded(deep, "PNG")[..., 0].ravel().tolist() == list(range(0, 256, 4))
    with pytest.raises(InvalidInputError, match="pixels of 32 bits"):
        decoded(Image.fromarray(np.zeros((8, 8), np.float32)), "TIFF")


def test_resampling_keeps_a_tone() -> None:
    def tone(rate: int) -> Any:
        return np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)

    np.testing.assert_allclose(resampled(tone(44100), 44100, 16000), tone(16000), atol=1e-3)
    np.testing.assert_allclose(resampled(tone(8000), 8000, 16000), tone(16000), atol=1e-3)
    assert example_image()
    assert example_sound()


def test_a_processor_is_needed(vit: Path, tmp_path: Path, serve: Any) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((vit / name).read_bytes())
    with pytest.raises(ModelLoadError, match=r"no preprocessor_config\.json"):
        serve(tmp_path)
