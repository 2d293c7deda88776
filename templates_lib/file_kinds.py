"""Which files may be sent to customers, told by their content and never by their name. Pure: no Django."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Literal

from worktool_ai.lib.config import gettext_noop as _

__all__ = ["KINDS", "MAX_BYTES", "FileKind", "FileRefusedError", "StoredFile", "kind_of", "stored_file"]

#: What the platform pushes without trouble (worktool-api.md §4.2).
MAX_BYTES: Final = 10 * 1024 * 1024
MAX_STEM: Final = 60

#: What the platform calls it in ``fileType``.
FileType = Literal["image", "audio", "video", "*"]


class FileRefusedError(ValueError):
    """A file that cannot be sent. Both texts are msgids: what is wrong, and what to do instead."""

    def __init__(self, problem: str, way_out: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.way_out = way_out


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file that the platform takes. ``line_type`` is the content type that lines have (textType)."""

    content_type: str
    extension: str
    file_type: FileType
    line_type: int


_PICTURE, _VOICE, _VIDEO, _FILE = 2, 3, 5, 9
_OFFICE = "application/vnd.openxmlformats-officedocument."
_ROWS = (
    FileKind("image/png", ".png", "image", _PICTURE),
    FileKind("image/jpeg", ".jpg", "image", _PICTURE),
    FileKind("image/gif", ".gif", "image", _PICTURE),
    FileKind("video/mp4", ".mp4", "video", _VIDEO),
    FileKind("audio/mpeg", ".mp3", "audio", _VOICE),
    FileKind("application/pdf", ".pdf", "*", _FILE),
    FileKind("application/msword", ".doc", "*", _FILE),
    FileKind("application/vnd.ms-excel", ".xls", "*", _FILE),
    FileKind("application/vnd.ms-powerpoint", ".ppt", "*", _FILE),
    FileKind(f"{_OFFICE}wordprocessingml.document", ".docx", "*", _FILE),
    FileKind(f"{_OFFICE}spreadsheetml.sheet", ".xlsx", "*", _FILE),
    FileKind(f"{_OFFICE}presentationml.presentation", ".pptx", "*", _FILE),
    FileKind("application/zip", ".zip", "*", _FILE),
)
#: By content type.
KINDS: Final = {row.content_type: row for row in _ROWS}
_BY_EXTENSION: Final = {row.extension: row for row in _ROWS}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file as commands refer to it: SHA-256 of its bytes, the name that people see, its content type."""

    digest: str
    name: str
    content_type: str

    @property
    def kind(self) -> FileKind:
        return KINDS[self.content_type]

    @property
    def object_name(self) -> str:
        """The name at the platform: unique for this content, or the phone takes it for one that it has already."""
        path = PurePosixPath(self.name)
        return f"{path.stem}_{self.digest[:8]}{path.suffix}"


def stored_file(name: str, content: bytes) -> StoredFile:
    """Judge an upload; raises :class:`FileRefusedError`. The name keeps its words and gets the content's extension."""
    kind = kind_of(content)
    return StoredFile(hashlib.sha256(content).hexdigest(), _shown_name(name, kind), kind.content_type)


def kind_of(content: bytes) -> FileKind:
    """Tell what a file is by its content; raises :class:`FileRefusedError` for what cannot be sent."""
    if not content:
        raise FileRefusedError(_("The file is empty."), _("Choose another file."))
    if len(content) > MAX_BYTES:
        raise FileRefusedError(_("The file is larger than 10 MB."), _("Make it smaller, or send a link to it instead."))
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        problem = _("This is a WebP picture: WeCom does not show it as a picture, whatever its name ends with.")
        raise FileRefusedError(problem, _("Open it and save it as PNG or JPEG."))
    extension = next((found for judge in _JUDGES if (found := judge(content))), "")
    if not extension:
        problem = _("The content is of no kind that can be sent.")
        raise FileRefusedError(
            problem, _("Choose PNG, JPEG, GIF, MP4, MP3, PDF, a Word, Excel or PowerPoint file, or ZIP.")
        )
    return _BY_EXTENSION[extension]


# -- what the bytes say ------------------------------------------------------------------------------------------------

_SIGNATURES: Final = {
    b"\x89PNG\r\n\x1a\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF87a": ".gif",
    b"GIF89a": ".gif",
    b"%PDF-": ".pdf",
    b"ID3": ".mp3",
}
#: Brands of MP4; QuickTime, HEIC and AVIF have the same frame and others.
_MP4_BRANDS: Final = (b"iso", b"mp4", b"avc1", b"M4V", b"MSNV", b"dash", b"mmp4")
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#: Names of the stream that makes an old Office file what it is.
_OLE_STREAMS: Final = {"WordDocument": ".doc", "Workbook": ".xls", "PowerPoint Document": ".ppt"}
_OFFICE_PARTS: Final = {"word/document.xml": ".docx", "xl/workbook.xml": ".xlsx", "ppt/presentation.xml": ".pptx"}


def _by_signature(content: bytes) -> str:
    return next((extension for signature, extension in _SIGNATURES.items() if content.startswith(signature)), "")


def _mp4(content: bytes) -> str:
    return ".mp4" if content[4:8] == b"ftyp" and content[8:12].startswith(_MP4_BRANDS) else ""


def _bare_mp3(content: bytes) -> str:
    """An MPEG frame without a tag in front: 11 bits set, layer III, a bit rate and a sampling rate that exist."""
    if len(content) < 4 or content[0] != 0xFF or content[1] & 0xE6 != 0xE2:
        return ""
    return ".mp3" if content[2] >> 4 not in (0, 15) and content[2] & 0x0C != 0x0C else ""


def _old_office(content: bytes) -> str:
    if not content.startswith(_OLE):
        return ""
    return next((end for name, end in _OLE_STREAMS.items() if name.encode("utf-16-le") in content), "")


def _archive(content: bytes) -> str:
    if not content.startswith(b"PK\x03\x04"):
        return ""
    try:
        names = set(zipfile.ZipFile(io.BytesIO(content)).namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return ""
    if any(name.endswith("vbaProject.bin") for name in names):
        problem = _("The document contains macros: phones and mail filters refuse it.")
        raise FileRefusedError(problem, _("Save it without macros, as .docx, .xlsx or .pptx, or as PDF."))
    return next((end for part, end in _OFFICE_PARTS.items() if part in names), ".zip")


_JUDGES: Final[tuple[Callable[[bytes], str], ...]] = (_by_signature, _mp4, _bare_mp3, _old_office, _archive)


# -- names -------------------------------------------------------------------------------------------------------------

#: What file systems refuse, what could hide an ending (control and direction characters), and runs of white space.
_UNFIT: Final = re.compile(r'[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff<>:"|?*#%&]+|\s+')
_SAME_KIND: Final = {".jpeg": ".jpg", ".jpe": ".jpg", ".m4v": ".mp4"}


def _shown_name(name: str, kind: FileKind) -> str:
    base = PurePosixPath(name.replace("\\", "/")).name
    stem, dot, suffix = base.rpartition(".")
    suffix = f".{suffix.lower()}"
    known = _SAME_KIND.get(suffix, suffix) in _BY_EXTENSION or suffix == ".webp"
    words = stem if dot and known else base
    words = _UNFIT.sub("_", words).strip("._ ")[:MAX_STEM].rstrip("._ ")
    return f"{words or 'file'}{kind.extension}"
