"""Files that systems and tools leave in people's folders: none of them is an image that someone wants edited."""

FILES = {
    # macOS
    ".ds_store",
    ".localized",
    "icon\r",
    # Windows
    "thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    # KDE
    ".directory",
}
FOLDERS = {
    # macOS, and what its archives bring along
    "__macosx",
    ".appledouble",
    ".fseventsd",
    ".spotlight-v100",
    ".temporaryitems",
    ".trashes",
    # Windows
    "$recycle.bin",
    "system volume information",
    # Synology's thumbnails, which are images indeed
    "@eadir",
}
# AppleDouble: what a file has on macOS beside its bytes, kept as `._name` where a file system takes no more (RFC 1740).
PREFIX = "._"
# Hadoop's mark of a folder.
SUFFIX = "_$folder$"


def is_leftover(path: str) -> bool:
    """Tell by its path below a batch's folder whether a file is one of them; the case of letters does not matter."""
    *folders, name = path.lower().split("/")
    return name in FILES or name.startswith(PREFIX) or name.endswith(SUFFIX) or not FOLDERS.isdisjoint(folders)
