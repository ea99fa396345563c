"""Files that carry texts, built as their writers build them: Pillow for pictures, and byte by byte what ffmpeg writes."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable, Mapping

from PIL import Image, PngImagePlugin

Texts = Mapping[str, str]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def png(texts: Texts, *, packed: bool = False) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text, zip=packed)
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def png_itxt(texts: Texts) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text, zip=True)
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def apng(texts: Texts) -> bytes:
    """As ComfyUI saves an animation: chunks of its own after the pixels."""
    file = io.BytesIO()
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    data = file.getvalue()
    end = data.index(b"IEND") - 4
    own = b"".join(chunk(b"comf", key.encode() + b"\0" + text.encode()) for key, text in texts.items())
    return data[:end] + own + data[end:]


def with_exif(format: str, texts: Texts, **options: object) -> bytes:
    image = Image.new("RGB", (4, 4))
    exif = image.getexif()
    for number, (key, text) in enumerate(texts.items()):
        exif[0x0110 - number] = f"{key}:{text}"
    file = io.BytesIO()
    image.save(file, format, exif=exif, **options)
    return file.getvalue()


def png_exif(texts: Texts) -> bytes:
    return with_exif("PNG", texts)


def webp(texts: Texts) -> bytes:
    return with_exif("WEBP", texts)


def webp_animated(texts: Texts) -> bytes:
    return with_exif("WEBP", texts, save_all=True, append_images=[Image.new("RGB", (4, 4), "red")])


def jpeg(texts: Texts) -> bytes:
    return with_exif("JPEG", texts)


def jpeg_comment(texts: Texts) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "JPEG", comment=both(texts))
    return file.getvalue()


def avif(texts: Texts) -> bytes:
    return with_exif("AVIF", texts)


def xmp(texts: Texts) -> str:
    inner = "".join(f"<c:{key}><![CDATA[{text}]]></c:{key}>" for key, text in texts.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:c="urn:c">{inner}</rdf:Description></rdf:RDF></x:xmpmeta>'
    )


def webp_xmp(texts: Texts) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "WEBP", xmp=xmp(texts).encode())
    return file.getvalue()


def svg(texts: Texts) -> bytes:
    return f'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><metadata><![CDATA[{both(texts)}]]></metadata></svg>'.encode()


def both(texts: Texts) -> str:
    """One object with both forms, the prompt as text in it: as video nodes write their comment."""
    return json.dumps({"prompt": texts["prompt"], "workflow": json.loads(texts.get("workflow", "null"))})


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _data(text: str) -> bytes:
    return box(b"data", struct.pack(">II", 1, 0), text.encode())


def meta(texts: Texts) -> bytes:
    hdlr = box(b"hdlr", bytes(8), b"mdta", bytes(13))
    keys = box(b"keys", struct.pack(">II", 0, len(texts)), *(box(b"mdta", key.encode()) for key in texts))
    items = [box(struct.pack(">I", number), _data(text)) for number, text in enumerate(texts.values(), 1)]
    return box(b"meta", bytes(4), hdlr, keys, box(b"ilst", *items))


def mp4(texts: Texts) -> bytes:
    """`movflags=use_metadata_tags`, with the index at the end."""
    film = box(b"mdat", bytes(5000))
    moov = box(b"moov", box(b"mvhd", bytes(100)), box(b"udta", meta(texts)))
    return box(b"ftyp", b"isom", bytes(4), b"isomiso2") + film + moov


def mp4_comment(texts: Texts) -> bytes:
    """iTunes' tags, in which only the comment has room for it."""
    hdlr = box(b"hdlr", bytes(8), b"mdir", b"appl", bytes(9))
    ilst = box(b"ilst", box(b"\xa9too", _data("Lavf60")), box(b"\xa9cmt", _data(both(texts))))
    moov = box(b"moov", box(b"mvhd", bytes(100)), box(b"udta", box(b"meta", bytes(4), hdlr, ilst)))
    return box(b"ftyp", b"isom", bytes(4)) + moov + struct.pack(">I4sQ", 1, b"mdat", 16 + 50) + bytes(50)


def mov(texts: Texts) -> bytes:
    """QuickTime: the tags beside the tracks, in a box without a version; old user data too."""
    full = meta(texts)
    bare = box(b"meta", full[12:])
    old = box(b"udta", box(b"\xa9swr", struct.pack(">HH", 4, 0), b"Lavf"), bytes(4))
    return box(b"ftyp", b"qt  ", bytes(4)) + box(b"wide") + box(b"mdat", bytes(9)) + box(b"moov", bare, old)


def element(number: int, *parts: bytes, unknown: bool = False) -> bytes:
    body = b"".join(parts)
    size = b"\x01" + b"\xff" * 7 if unknown else (1 << 56 | len(body)).to_bytes(8, "big")
    return number.to_bytes((number.bit_length() + 7) // 8, "big") + size + body


def _film(texts: Texts, *, live: bool) -> bytes:
    simple = [
        element(0x67C8, element(0x45A3, key.upper().encode()), element(0x4487, text.encode()))
        for key, text in texts.items()
    ]
    tags = element(0x1254C367, element(0x7373, element(0x63C0), *simple))
    cluster = element(0x1F43B675, element(0xE7, b"\0"), element(0xA3, bytes(3000)), unknown=live)
    head = element(0x1A45DFA3, element(0x4282, b"webm"))
    return head + element(0x18538067, element(0x1549A966, bytes(20)), cluster, tags, unknown=live)


def webm(texts: Texts) -> bytes:
    return _film(texts, live=False)


def webm_live(texts: Texts) -> bytes:
    return _film(texts, live=True)


def comments(texts: Texts) -> bytes:
    def part(data: bytes) -> bytes:
        return struct.pack("<I", len(data)) + data

    return (
        part(b"Lavf60") + struct.pack("<I", len(texts)) + b"".join(part(f"{k}={v}".encode()) for k, v in texts.items())
    )


def flac(texts: Texts) -> bytes:
    body = comments(texts)
    info = struct.pack(">I", 34) + bytes(34)
    return b"fLaC" + info + bytes([0x84]) + len(body).to_bytes(3, "big") + body + bytes(999)


def _pages(packets: list[bytes]) -> bytes:
    result = b""
    for number, packet in enumerate(packets):
        lacing = [255] * (len(packet) // 255) + [len(packet) % 255]
        at = 0
        for start in range(0, len(lacing), 255):
            table = lacing[start : start + 255]
            body = packet[at : at + sum(table)]
            at += len(body)
            head = struct.pack("<4sBBqIII", b"OggS", 0, int(start > 0), 0, 7, number, 0)
            result += head + bytes([len(table)]) + bytes(table) + body
    return result


def ogg(texts: Texts) -> bytes:
    return _pages([b"\x01vorbis" + bytes(23), b"\x03vorbis" + comments(texts) + b"\x01", bytes(300)])


def opus(texts: Texts) -> bytes:
    return _pages([b"OpusHead" + bytes(11), b"OpusTags" + comments(texts), bytes(300)])


def _seven(number: int) -> bytes:
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))


def mp3(texts: Texts) -> bytes:
    frames = b""
    for key, text in texts.items():
        body = b"\3" + key.encode() + b"\0" + text.encode() + b"\0"
        frames += b"TXXX" + _seven(len(body)) + bytes(2) + body
    return b"ID3\4\0\0" + _seven(len(frames) + 10) + frames + bytes(10) + b"\xff\xfb" + bytes(400)


def mp3_old(texts: Texts) -> bytes:
    """Version 2.3, in UTF-16."""
    frames = b""
    for key, text in texts.items():
        body = b"\1" + key.encode("utf-16") + b"\0\0" + text.encode("utf-16") + b"\0\0"
        frames += b"TXXX" + struct.pack(">I", len(body)) + bytes(2) + body
    return b"ID3\3\0\0" + _seven(len(frames)) + frames + b"\xff\xfb" + bytes(400)


def latent(texts: Texts) -> bytes:
    tensor = {"dtype": "F32", "shape": [1, 4, 2, 2], "data_offsets": [0, 64]}
    header = json.dumps({"latent_tensor": tensor, "__metadata__": dict(texts)}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(64)


def glb(texts: Texts) -> bytes:
    extras = {key: json.loads(text) for key, text in texts.items()}
    scene = json.dumps({"asset": {"version": "2.0", "extras": extras}}).encode()
    scene += b" " * (-len(scene) % 4)
    body = struct.pack("<I4s", len(scene), b"JSON") + scene + struct.pack("<I4s", 8, b"BIN\0") + bytes(8)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


BUILDERS: dict[str, Callable[[Texts], bytes]] = {
    each.__name__: each
    for each in (
        png, png_itxt, png_exif, apng, webp, webp_animated, webp_xmp, jpeg, jpeg_comment, avif, svg, mp4, mp4_comment,
        mov, webm, webm_live, flac, ogg, opus, mp3, mp3_old, latent, glb,
    )
}  # fmt: skip
