"""A simulated disk: what is on it if the power fails at any moment of what a program does.

It is the worst disk that the rules allow. The content of a file is on it as it was at the last fsync of the file, and
the names in a folder as they were at the last fsync of the folder; of what changed since then everything, nothing, or
any part may be there, and the content of a file that never was synced is empty.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "shutil.rmtree"}
MODES = ("nothing unsynced", "all names", "some names")


class Disk:
    """Records what the power failing would leave of a folder, at each step of what is done inside the context.

    Args:
        root: the folder.
        seed: of which names are kept.

    Attributes:
        cuts: what was left, by name: the content of a file, or None for a folder.
        reported: what the test notes as reported done; `reported_then` holds it for each cut.
        after: the cuts after the end.
    """

    def __init__(self, root, monkeypatch, seed=0):
        self.root, self.random, self.active, self.busy = root, random.Random(seed), False, False
        self.contents, self.folders, self.kept = {}, {}, []
        self.cuts, self.reported, self.reported_then = [], None, []
        real = os.fsync

        def fsync(handle):
            real(handle)
            if self.active:
                self._sync(handle)
                self._cut()

        monkeypatch.setattr(os, "fsync", fsync)
        sys.addaudithook(self._hook)

    def __enter__(self):
        for path in (self.root, *self.root.rglob("*")):
            handle = os.open(path, os.O_RDONLY)
            self._sync(handle)
            os.close(handle)
        self.active = True
        return self

    def __exit__(self, *_):
        self._cut()
        self.active = False
        self.after = list(self.cuts[-len(MODES) :])
        for handle in self.kept:
            os.close(handle)

    def restore(self, cut, folder):
        """Write out what a cut leaves."""
        for name, content in cut.items():
            path = folder / name
            if content is None:
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    def _hook(self, event, arguments):
        if self.active and not self.busy and event in EVENTS and str(arguments[0]).startswith(str(self.root)):
            self._cut()

    def _sync(self, handle):
        self.busy = True
        # An inode that is held open is not given to another file.
        self.kept.append(os.dup(handle))
        status = os.fstat(handle)
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if path.is_dir():
            self.folders[status.st_ino] = {entry.name: entry.inode() for entry in os.scandir(path)}
            for entry in os.scandir(path):
                if entry.is_dir():
                    self.folders.setdefault(entry.inode(), {})
        else:
            self.contents[status.st_ino] = Path(f"/proc/self/fd/{handle}").read_bytes()
        self.busy = False

    def _cut(self):
        self.busy = True
        now, is_folder = {}, set()
        for path, _, _ in os.walk(self.root):
            entries = list(os.scandir(path))
            now[Path(path).stat().st_ino] = {entry.name: entry.inode() for entry in entries}
            is_folder |= {entry.inode() for entry in entries if entry.is_dir()}
        is_folder |= set(self.folders)
        for mode in MODES:
            cut = {}
            self._walk(self.root.stat().st_ino, "", now, is_folder, mode, cut)
            self.cuts.append(cut)
            self.reported_then.append(self.reported)
        self.busy = False

    def _walk(self, inode, prefix, now, is_folder, mode, cut):
        synced, present = self.folders.get(inode, {}), now.get(inode, {})
        for name in sorted(set(synced) | set(present)):
            places = {"nothing unsynced": [synced], "all names": [present]}.get(mode, [synced, present])
            child = self.random.choice(places).get(name)
            if child is None:
                continue
            if child in is_folder:
                cut[prefix + name] = None
                self._walk(child, f"{prefix}{name}/", now, is_folder, mode, cut)
            else:
                cut[prefix + name] = self.contents.get(child, b"")
