"""Scenes that may come into the manifest: what the archive lists, read where it is new, grouped by acquisition."""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from jepa_core.archive.scene import ArchiveError, Scene, Source, printable
from jepa_core.ledger import Ledger
from jepa_core.progress import track
from jepa_core.trouble import passes, raise_of_machine

_LONGEST_ID = 190
"""Bytes: with what is added to it, it is the name of a folder."""


@dataclass(frozen=True)
class Candidate:
    """A scene that may come into the manifest."""

    source: Source | None
    """Where it is read from; None for one of a catalogue that cannot be asked now."""

    place: str
    """Of the source."""

    fingerprint: str
    """Of its files, the settings and the code."""

    scene_id: str
    """Id of the scene."""

    acquisition: str
    """What its other processings share with it."""

    processed: str
    """Sorts it among them."""

    state: str
    """`cut`, `replaced` or `unwanted` from an earlier run, `new` otherwise; `stands`: cut before, unreachable now."""

    @property
    def remote(self) -> bool:
        """Whether reading it may fail for reasons that pass."""
        return self.source is None or self.source.remote


def candidates_of(ledger: Ledger, sources: Sequence[Source], coming: Collection[str]) -> list[Candidate]:
    """Scenes that may come into the manifest; what is not readable is set aside."""
    found: dict[str, Candidate] = {}
    listed = {source.place for source in sources} | set(coming)
    changed = []
    for place in coming:
        if ledger.still_holds(place) and (known := ledger.keep(place)):
            found[place] = _known(None, known)
    for source in sources:
        if not ledger.knows(source):
            changed.append(source)
        elif known := ledger.keep(source.place):
            found[source.place] = _known(source, known)
        else:
            found |= _behind(ledger, source, listed)
    for source in track(changed, f"Reading metadata of {ledger.sensor.name}", unit="scene"):
        mark = ledger.mark(source)
        try:
            scene = read_scene(source)
        except ArchiveError as error:
            raise_of_machine(error, f"{source.place} cannot be read")
            passing = source.remote or passes(error)
            scene_id = ledger.known.get(source.place, {}).get("scene_id", "") if passing else ""
            ledger.set_aside(source.place, mark, scene_id, passing, str(error))
            found |= _behind(ledger, source, listed)
            continue
        of = scene.product
        found[source.place] = Candidate(
            source, source.place, mark, scene.id, of.acquisition or scene.id, of.processed, "new"
        )
    return list(found.values())


def _behind(ledger: Ledger, source: Source, listed: Collection[str]) -> dict[str, Candidate]:
    """What a source that is set aside held before, by place: what cannot be reached for a while takes nothing away."""
    place = source.place
    if row := ledger.standing(place):
        mark = ledger.states[place]["fingerprint"]
        return {place: Candidate(None, place, mark, row["scene_id"], row["acquisition"], row["processed"], "stands")}
    if not ledger.waits(place) or ledger.states[place]["scene_id"]:
        return {}
    return {
        inner: _known(None, known) for inner in ledger.out_of_reach(source, listed) if (known := ledger.keep(inner))
    }


def _known(source: Source | None, known: dict[str, Any]) -> Candidate:
    fields = ("place", "fingerprint", "scene_id", "acquisition", "processed", "state")
    return Candidate(source, **{name: known[name] for name in fields})


def by_acquisition(ledger: Ledger, candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Candidates of each acquisition, the one to be taken first; what bears another's id is set aside."""
    groups: dict[str, list[Candidate]] = defaultdict(list)
    owners: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda c: (c.state != "cut", c.place)):
        owner = owners.setdefault(candidate.scene_id, candidate)
        # One id is one scene's, unless both places say that they hold the same acquisition.
        same = owner.acquisition == candidate.acquisition != candidate.scene_id
        if owner is candidate or same:
            groups[candidate.acquisition].append(candidate)
        else:
            reason = f"{candidate.place} has the id {candidate.scene_id}, which {owner.place} has, too"
            # Without a fingerprint: it is looked at again each time, for the other may be gone. No wait helps.
            ledger.set_aside(candidate.place, "", candidate.scene_id, False, reason)
    for group in groups.values():
        # Latest first; of equals one that is cut already, then by place, so that a copy changes nothing.
        group.sort(key=lambda c: (c.state != "cut", c.place))
        group.sort(key=lambda c: c.processed, reverse=True)
    return list(groups.values())


def read_scene(source: Source) -> Scene:
    """The source's scene.

    Raises:
        ArchiveError: it cannot be read, whatever the reader tripped over.
    """
    try:
        return checked(source.read())
    except (ArchiveError, MemoryError):
        raise
    except Exception as error:
        raise ArchiveError(f"{source.place} cannot be read: {type(error).__name__}: {error}") from error


def checked(scene: Scene) -> Scene:
    """The scene, if its id can be part of a file's name and what it says can be written down.

    Raises:
        ArchiveError: it cannot.
    """
    if not re.fullmatch(r"\w[\w.+-]*", scene.id) or len(scene.id.encode()) > _LONGEST_ID:
        raise ArchiveError(
            f"the scene id {scene.id[:200]!r} may hold letters, digits and _ . + - only, and {_LONGEST_ID} bytes"
        )
    said = "".join(value for value in vars(scene.product).values() if isinstance(value, str))
    if said != printable(said):
        raise ArchiveError(f"the metadata of {scene.id} hold text that is no Unicode: {printable(said)[:200]!r}")
    return scene
