"""Images as Pillow has them (``pillow_image``, ``image``)."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, ClassVar, Final

from predictors.serving.codecs.base import InputCodec, as_bytes, column
from predictors.serving.codecs.text import from_base64
from predictors.serving.errors import InvalidInputError, UnsupportedError
from predictors.serving.tensors import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["PIXELS_OF_A_REQUEST", "ImageCodec"]


_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""Not all that Pillow reads: some of the others start programs, or are seldom tried by anybody."""

_MOST_PIXELS: Final = 64_000_000
"""8000 x 8000; 200 MB of RGB. A file of kilobytes can say that it has thousands of millions."""

PIXELS_OF_A_REQUEST: Final = 4 * _MOST_PIXELS
"""Of all its images together: 800 MB of RGB."""


class ImageCodec(InputCodec):
    """A list of images: files as BYTES (base64 in JSON), or pixels, UINT8 of [n,] h, w, channels.

    Files are PNG, JPEG, WebP, GIF (its first frame), BMP or TIFF, of up to 64 million pixels.
    Answers are PNG.
    """

    content_type: ClassVar[str] = "pillow_image"

    def can_encode(self, value: object) -> bool:
        """An image or a list of them."""
        if "PIL.Image" not in sys.modules:
            return False
        from PIL.Image import Image

        values = value if isinstance(value, list) else [value]
        return bool(values) and all(isinstance(each, Image) for each in values)

    def decode(self, tensor: Tensor) -> list[Image]:
        """The images, read completely. Raises `InvalidInputError` naming the element."""
        array = tensor.array
        if array.dtype.kind == "O":
            return self._all_opened(tensor.name, array.ravel().tolist())
        if array.dtype.name != "uint8" or array.ndim not in (2, 3, 4) or not array.size:
            raise InvalidInputError(
                f"{tensor.name}: content type {self.content_type} needs BYTES, or UINT8 of shape "
                f"[n,] height, width, channels; got {array.dtype.name} of {list(array.shape)}."
            )
        pixels = array if array.ndim == 4 else array[None]
        try:
            return [_pillow().fromarray(each) for each in pixels]
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"{tensor.name} is no image: {error}.") from None

    def encode(self, name: str, value: Any) -> Tensor:
        """One PNG an image."""
        files = []
        for image in value if isinstance(value, list) else [value]:
            file = io.BytesIO()
            image.save(file, "PNG")
            files.append(file.getvalue())
        return Tensor(name, column(files), {"content_type": self.content_type})

    def _all_opened(self, name: str, values: list[object]) -> list[Image]:
        images, left = [], PIXELS_OF_A_REQUEST
        for index, value in enumerate(values):
            images.append(self.opened(value, f"{name}[{index}]", left))
            left -= images[-1].width * images[-1].height
        return images

    def opened(self, value: object, where: str, left: int = PIXELS_OF_A_REQUEST) -> Image:
        """One file, read completely; of the request's pixels so many are left.

        Raises `InvalidInputError` that begins with `where`.
        """
        if not isinstance(value, str | bytes):
            raise InvalidInputError(f"{where} is {type(value).__name__}, not an image.")
        data = from_base64(value, where) if isinstance(value, str) else as_bytes(value)
        pillow = _pillow()
        from PIL import UnidentifiedImageError

        try:
            image: Image = pillow.open(io.BytesIO(data), formats=_FORMATS)
            if image.width * image.height > _MOST_PIXELS:
                raise InvalidInputError(_too_large(where, f"{image.width} x {image.height}"))
            if image.width * image.height > left:
                raise InvalidInputError(
                    f"{where}: the images of this request have more than {PIXELS_OF_A_REQUEST:,} "
                    "pixels together. Send them in several requests."
                )
            image.load()
        except (pillow.DecompressionBombError, pillow.DecompressionBombWarning):
            raise InvalidInputError(_too_large(where, "many more")) from None
        except UnidentifiedImageError:
            raise InvalidInputError(
                f"{where} is no image of a format that is taken: {', '.join(_FORMATS)}."
            ) from None
        except (OSError, ValueError, SyntaxError) as error:
            raise InvalidInputError(f"{where} is no image: {error}.") from None
        return image


def _too_large(where: str, pixels: str) -> str:
    return f"{where} is an image of {pixels} pixels; up to {_MOST_PIXELS:,} are taken."


def _pillow() -> Any:
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise UnsupportedError(
            "Content type pillow_image needs Pillow, which is not installed here (rouse[codecs])."
        ) from None
    return Image
