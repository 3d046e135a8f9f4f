"""Endings of the files that are taken for images, tables and archives."""

from __future__ import annotations

import os

from deft.data.table_readers import READERS

IMAGE_ENDINGS = frozenset(
    (
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".ppm", ".pgm",
        ".pbm", ".pnm", ".jp2", ".j2k", ".jxl", ".avif", ".heic", ".heif", ".tga", ".ico",
    )
)  # fmt: skip
"""Endings of the files that are taken for images."""

TABLE_ENDINGS = (*READERS, ".parquet")
"""Endings of the files that are read as tables."""

ARCHIVE_ENDINGS = (".zip", ".tar")
"""Endings of the archives that are read in place."""

COMPRESSED_ENDINGS = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".gz", ".bz2", ".xz",
                      ".zst", ".7z", ".rar")  # fmt: skip
"""Endings of archives that can only be read from their beginning, and are refused."""


def is_image(name: str) -> bool:
    """Say whether a file's name is that of an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_ENDINGS
