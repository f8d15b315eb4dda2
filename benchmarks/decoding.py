"""How fast do photos become squares of pixels, and how far are those from transformers' own? Ratios from one run.

    python benchmarks/decoding.py            (--photos 40 --rounds 5)
    python benchmarks/decoding.py --accuracy

JPEGs of 256 to 640 pixels with the spectrum of photographs (quality 75 to 95, chroma halved or not, some turned by
EXIF, which only our cleaner heeds) become squares of 224 and of 64 on one thread. All ways take turns in every round;
what counts is the median over the rounds of a way's CPU time as a multiple of our cleaner's. Decoders that are not
installed are left out in words: `pip install simplejpeg opencv-python-headless torchvision PyTurboJPEG` (the last needs
the system's libturbojpeg).

`--accuracy` compares pixels, and embeddings of models with random weights, with those of the image processor, for
photos of several sizes: `exact`, and shrunk while decoding to 4, 2 and 1 times the target.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from models.arrow import to_numpy
from transforms.modalities.image import ImageSpec

SIDES = (256, 640)
SIZES = (224, 64)  # what most pretrained models take, and what the weight-free encoder does
EXACT = 0
SLOPE = -1.1  # amplitude falls with frequency as f^-1.1: photographs lie between -0.9 and -1.3 (van der Schaaf 1996)
Pixels = npt.NDArray[np.uint8]
One = Callable[[bytes, int], Pixels]
Way = Callable[[Sequence[bytes], int], object]


def photo(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """A picture with the spectrum of a photograph: common light, and colours of its own."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf  # the mean is set below
    planes = [
        np.fft.irfft2(np.fft.rfft2(rng.normal(size=(height, width))) * frequency**SLOPE, s=(height, width))
        for _ in range(4)
    ]
    light, *colours = (plane / plane.std() for plane in planes)
    scene = np.stack([light + 0.3 * colour for colour in colours], axis=-1) * rng.uniform(30, 60) + 128
    return Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))


def photos(count: int, sides: tuple[int, int] = SIDES) -> list[bytes]:
    """JPEGs as phones and shops store them."""
    rng = np.random.default_rng(7)
    return [_jpeg(rng, *(int(side) for side in rng.integers(*sides, 2, endpoint=True))) for _ in range(count)]


def _jpeg(rng: np.random.Generator, width: int, height: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = int(rng.choice([1, 1, 1, 6]))  # a quarter was taken upright
    file = io.BytesIO()
    options = {"quality": int(rng.integers(75, 96)), "subsampling": int(rng.choice([0, 2, 2])), "exif": exif}
    photo(rng, width, height).save(file, "JPEG", **options)
    return file.getvalue()


def cleaner(**settings: Any) -> Callable[[Sequence[bytes], int], Pixels]:
    """Our cleaner, on a batch as in a night."""
    built: dict[int, Any] = {}

    def clean(files: Sequence[bytes], size: int) -> Pixels:
        if size not in built:
            built[size] = ImageSpec.model_validate({"column": "photo", "size": size, **settings}).build()
        return to_numpy(built[size](pa.array(files, pa.binary())).values).astype(np.uint8, copy=False)

    return clean


def _centre(image: Image.Image, size: int) -> Pixels:
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    square = image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return np.asarray(square.convert("RGB"))


def pillow(file: bytes, size: int) -> Pixels:
    """Pillow: decode all, scale the centre."""
    return _centre(Image.open(io.BytesIO(file)), size)


def pillow_draft(file: bytes, size: int) -> Pixels:
    """Pillow: shrink while decoding, scale the centre."""
    image = Image.open(io.BytesIO(file))
    image.draft(None, (2 * size, 2 * size))
    return _centre(image, size)


def processor() -> One:
    """transformers: Pillow's picture through CLIP's processor."""
    kind = import_module("transformers").CLIPImageProcessorPil
    made = {size: kind(size={"shortest_edge": size}, crop_size={"height": size, "width": size}) for size in SIZES}

    def process(file: bytes, size: int) -> Pixels:
        planes: Pixels = made[size](Image.open(io.BytesIO(file)), return_tensors="np")["pixel_values"]
        return planes

    return process


def simplejpeg() -> One:
    """simplejpeg decodes, Pillow scales."""
    library = import_module("simplejpeg")
    return lambda file, size: _centre(Image.fromarray(library.decode_jpeg(file)), size)


def turbojpeg() -> One:
    """PyTurboJPEG decodes, Pillow scales."""
    library = import_module("turbojpeg")
    decoder = library.TurboJPEG()
    return lambda file, size: _centre(Image.fromarray(decoder.decode(file, pixel_format=library.TJPF_RGB)), size)


def opencv() -> One:
    """OpenCV decodes and scales by areas: other pixels than Pillow's."""
    library = import_module("cv2")
    library.setNumThreads(1)

    def decode(file: bytes, size: int) -> Pixels:
        image = library.imdecode(np.frombuffer(file, np.uint8), library.IMREAD_COLOR_RGB)
        side = min(image.shape[:2])
        top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
        square = image[top : top + side, left : left + side]
        small: Pixels = library.resize(square, (size, size), interpolation=library.INTER_AREA)
        return small

    return decode


def torchvision() -> One:
    """torchvision decodes, torch scales with vector instructions."""
    library = import_module("torchvision.io")

    def decode(file: bytes, size: int) -> Pixels:
        image = library.decode_jpeg(torch.frombuffer(bytearray(file), dtype=torch.uint8))
        height, width = image.shape[1:]
        scaled = (size * height // min(height, width), size * width // min(height, width))
        small = torch.nn.functional.interpolate(image[None], scaled, mode="bicubic", antialias=True)[0]
        top, left = (scaled[0] - size) // 2, (scaled[1] - size) // 2
        centre: Pixels = small[:, top : top + size, left : left + size].permute(1, 2, 0).contiguous().numpy()
        return centre

    return decode


def each(one: One) -> Way:
    """A way that takes one picture at a time."""
    return lambda files, size: [one(file, size) for file in files]


WAYS: dict[str, Callable[[], Way]] = {
    "our cleaner": cleaner,
    "our cleaner, exact": lambda: cleaner(exact=True),
    "Pillow, all decoded": lambda: each(pillow),
    "Pillow, draft": lambda: each(pillow_draft),
    "simplejpeg + Pillow": lambda: each(simplejpeg()),
    "PyTurboJPEG + Pillow": lambda: each(turbojpeg()),
    "OpenCV, by areas": lambda: each(opencv()),
    "torchvision + torch": lambda: each(torchvision()),
    "transformers, CLIP (PIL)": lambda: each(processor()),
}


def race(count: int, rounds: int) -> None:
    """Print every way's time as a ratio to ours."""
    torch.set_num_threads(1)
    files = photos(count)
    _say(f"{count} JPEGs, {sum(map(len, files)) / count / 1000:.0f} kB each; times as multiples of our cleaner's")
    ready: dict[str, Way] = {}
    for name, make in WAYS.items():
        try:
            ready[name] = make()
        except (ImportError, RuntimeError) as error:  # RuntimeError: PyTurboJPEG without the system's library
            _say(f"  left out: {name} ({str(error).splitlines()[0]})")
    _say(f"{'':28}{'to 224':>10}{'to 64':>10}")
    ratios, pace = {}, {}
    for size in SIZES:
        taken = _race(files, size, ready, rounds)  # [rounds, ways]
        ratios[size] = np.median(taken / taken[:, :1], axis=0)
        pace[size] = count / float(np.median(taken[:, 0]))
    for place, name in enumerate(ready):
        _say(f"{name:28}" + "".join(f"{ratios[size][place]:10.2f}" for size in SIZES))
    _say("pictures/s of our cleaner: " + ", ".join(f"{pace[size]:.0f} to {size}" for size in SIZES))


def _race(files: Sequence[bytes], size: int, ways: Mapping[str, Way], rounds: int) -> npt.NDArray[np.float64]:
    """CPU seconds `[rounds, ways]`; in a round all ways take turns, so that other load meets all of them alike."""
    for way in ways.values():
        way(files[:1], size)
    return np.array([[_seconds(files, size, way) for way in ways.values()] for _ in range(rounds)])


def _seconds(files: Sequence[bytes], size: int, way: Way) -> float:
    start = time.process_time()
    way(files, size)
    return time.process_time() - start


def accuracy(count: int) -> None:
    """Print how far pixels and embeddings are from those of transformers' processor, for CLIP at 224."""
    torch.set_num_threads(1)
    made = import_module("transformers").CLIPImageProcessorPil(do_rescale=False, do_normalize=False)
    networks = _networks()
    _say(f"{'photos of':14}{'':20}{'mean':>8}{'largest':>9}{'off':>8}" + "".join(f"{n:>12}" for n in networks))
    for sides in ((256, 640), (900, 1600), (2400, 4000)):
        files = photos(count, sides)
        upright = [Image.open(io.BytesIO(file)) for file in files]
        upright = [import_module("PIL.ImageOps").exif_transpose(image) for image in upright]
        reference = np.moveaxis(made(upright, return_tensors="np")["pixel_values"], 1, -1)
        for shrink_to in (EXACT, 4, 2, 1):
            way = cleaner(**({"exact": True} if shrink_to == EXACT else {"shrink_to": shrink_to}))
            ours = way(files, 224).reshape(reference.shape)
            name = "exact" if shrink_to == EXACT else f"shrink_to {shrink_to}"
            off = np.abs(ours.astype(int) - reference.astype(int))
            same = "".join(f"{1 - _cosine(net, ours, reference):12.1e}" for net in networks.values())
            _say(
                f"{f'{sides[0]}-{sides[1]} px':14}{name:20}{off.mean():8.3f}{off.max():9d}{(off > 0).mean():8.1%}{same}"
            )


def _networks() -> dict[str, Any]:
    library = import_module("transformers")
    torch.manual_seed(0)
    vit = library.ViTConfig(hidden_size=192, num_hidden_layers=6, num_attention_heads=3, intermediate_size=768)
    return {
        "ViT": library.ViTModel(vit).eval(),
        "ConvNeXt": library.ConvNextModel(library.ConvNextConfig()).eval(),
        "ResNet": library.ResNetModel(library.ResNetConfig()).eval(),
    }


@torch.inference_mode()
def _cosine(network: Any, ours: Pixels, reference: Pixels) -> float:
    """The least over the photos: their embeddings' mean is taken off, as random networks give all inputs the same."""
    rows = []
    for pixels in (ours, reference):
        planes = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1
        rows.append(torch.cat([network(one).pooler_output.flatten(1) for one in torch.split(planes, 4)]).double())
    middle = rows[1].mean(dim=0)
    return float(torch.nn.functional.cosine_similarity(rows[0] - middle, rows[1] - middle).min())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--accuracy", action="store_true", help="compare pixels and embeddings instead of times")
    options = parser.parse_args()
    accuracy(options.photos) if options.accuracy else race(options.photos, options.rounds)


if __name__ == "__main__":
    main()
