"""What happens to an archive: scenes arrive, change, vanish, break and are mended, in one go or bit by bit."""

import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from tests.drill.scenes import Pristine, remove


@dataclass
class ChangingArchive:
    """A folder of scenes, and what was done to it."""

    root: Path
    """The archive."""

    pristine: list[Pristine]
    """All scenes that there could be."""

    random: random.Random
    """Decides."""

    broken: set[str] = field(default_factory=set)
    """Names of scenes that are damaged or locked now."""

    copying: list[Thread] = field(default_factory=list)
    """Copies under way."""

    counts: dict[str, int] = field(default_factory=dict)
    """How often what happened."""

    def start(self, scenes: int) -> None:
        """Puts the first scenes in."""
        for scene in self.pristine[:scenes]:
            self._put(scene)

    def happen(self) -> str:
        """One thing happens; gives its name."""
        event = self.random.choice(
            [
                self.arrive,
                self.arrive,
                self.arrive_slowly,
                self.vanish,
                self.cut_short,
                self.scramble,
                self.lose_a_file,
                self.lock,
                self.mend,
                self.mend,
                self.touch,
                self.swap,
            ]
        )
        done = event()
        name = event.__name__ if done else "nothing"
        self.counts[name] = self.counts.get(name, 0) + 1
        return name

    def wait(self) -> None:
        """Until all copies under way have ended."""
        for thread in self.copying:
            thread.join()
        self.copying.clear()

    def open_all(self) -> None:
        """Every scene may be read again: what cannot be looked into keeps its place in an index, by design."""
        for place in self.root.iterdir():
            place.chmod(0o755)

    def arrive(self) -> bool:
        """A scene comes at once, as by a rename."""
        return self._of(self._absent(), self._put)

    def arrive_slowly(self) -> bool:
        """A scene comes file by file, and large files bit by bit, with times as they were."""

        def begin(scene: Pristine) -> None:
            self.broken.add(scene.name)
            thread = Thread(target=self._copy_slowly, args=(scene,))
            thread.start()
            self.copying.append(thread)

        return self._of(self._absent(), begin)

    def vanish(self) -> bool:
        """A scene is deleted; two whole ones of a sensor always stay."""
        return self._of(self._spare(), lambda scene: remove(self._place(scene)))

    def cut_short(self) -> bool:
        """An image loses its end."""

        def cut(path: Path) -> None:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

        return self._damage(cut, (".jp2", ".tif"))

    def scramble(self) -> bool:
        """Metadata become garbage."""
        return self._damage(lambda path: path.write_bytes(self.random.randbytes(500)), (".xml", ".json", ".safe"))

    def lose_a_file(self) -> bool:
        """A file is deleted."""
        return self._damage(lambda path: path.unlink(), (".jp2", ".tif", ".xml"))

    def lock(self) -> bool:
        """A scene must not be read."""

        def close(scene: Pristine) -> None:
            self.broken.add(scene.name)
            self._place(scene).chmod(0)

        return self._of(self._spare(), close)

    def mend(self) -> bool:
        """A damaged or locked scene is put right again."""
        damaged = [scene for scene in self.pristine if scene.name in self.broken]

        def again(scene: Pristine) -> None:
            if self._place(scene).exists():
                remove(self._place(scene))
            self._put(scene)
            self.broken.discard(scene.name)

        # What is being copied counts as damaged until it is whole.
        self.copying = [thread for thread in self.copying if thread.is_alive()]
        return not self.copying and self._of(damaged, again)

    def touch(self) -> bool:
        """A scene's files are written again as they are."""

        def write(scene: Pristine) -> None:
            for path in self._place(scene).rglob("*"):
                if path.is_file():
                    path.write_bytes(path.read_bytes())

        return self._of(self._whole(), write)

    def swap(self) -> bool:
        """A radar scene's images are replaced, in place, by those of another date."""

        def replace(scene: Pristine) -> None:
            other = self.random.choice([s for s in self.pristine if s.sensor == "s1" and s.name != scene.name])
            ours, theirs = (sorted(folder.rglob("*.tif")) for folder in (self._place(scene), other.folder))
            for mine, its in zip(ours, theirs, strict=True):
                shutil.copyfile(its, mine)

        return self._of([s for s in self._whole() if s.sensor == "s1"], replace)

    def _damage(self, harm: Callable[[Path], object], endings: tuple[str, ...]) -> bool:
        def harm_one(scene: Pristine) -> None:
            self.broken.add(scene.name)
            files = sorted(p for p in self._place(scene).rglob("*") if p.suffix in endings and p.is_file())
            if files:
                harm(self.random.choice(files))

        return self._of(self._spare(), harm_one)

    def _of(self, scenes: list[Pristine], do: Callable[[Pristine], object]) -> bool:
        if not scenes:
            return False
        do(self.random.choice(scenes))
        return True

    def _place(self, scene: Pristine) -> Path:
        return self.root / scene.name

    def _absent(self) -> list[Pristine]:
        return [s for s in self.pristine if not self._place(s).exists() and s.name not in self.broken]

    def _whole(self) -> list[Pristine]:
        return [s for s in self.pristine if self._place(s).exists() and s.name not in self.broken]

    def _spare(self) -> list[Pristine]:
        whole = self._whole()
        return [s for s in whole if sum(other.sensor == s.sensor for other in whole) > 2]

    def _put(self, scene: Pristine) -> None:
        beside = self.root.parent / "coming" / scene.name
        shutil.rmtree(beside.parent, ignore_errors=True)
        shutil.copytree(scene.folder, beside)
        beside.rename(self._place(scene))

    def _copy_slowly(self, scene: Pristine) -> None:
        pause = self.random.uniform(0.02, 0.15)
        for path in sorted(scene.folder.rglob("*")):
            target = self._place(scene) / path.relative_to(scene.folder)
            if path.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes()
            target.write_bytes(content[: len(content) // 2])
            time.sleep(pause)
            shutil.copy2(path, target)
        self.broken.discard(scene.name)
