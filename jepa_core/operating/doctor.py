"""Looking at everything, and mending what loses nothing that cannot be made again."""

from collections.abc import Callable, Iterator
from functools import cache

from jepa_core import atomic
from jepa_core.archive.discover import archive_identity
from jepa_core.errors import JepaError
from jepa_core.operating.check_indexes import check_index
from jepa_core.operating.check_models import check_descriptors, check_models
from jepa_core.operating.check_patches import check_pairs, check_patches
from jepa_core.operating.check_records import check_records, check_reports
from jepa_core.operating.findings import Cure, Finding, Ward
from jepa_core.operating.inventory import folders, read_model_folder, variants_there
from jepa_core.operating.listing import archive_there
from jepa_core.operating.waste import FINDERS, Wish
from jepa_core.operating.working import alone, at_work, locks_over
from jepa_core.sensors import SENSORS
from jepa_core.settings import Settings
from jepa_core.store import Store


def examine(settings: Settings) -> Iterator[Finding]:
    """What is wrong in a data root, and what is left over; each as soon as it is found.

    Args:
        settings: name the data root and its archive.

    Raises:
        MixedDataError: the data root holds products of another archive.
    """
    store = Store.at(settings.data_folder)
    store.check_bound(archive_identity(settings))

    @cache
    def places(sensor: str) -> set[str] | None:
        try:
            return {source.place for source in archive_there(settings, store).sources(SENSORS[sensor])}
        except (JepaError, OSError):
            return None

    ward = Ward(store, places)
    found: list[Finding] = []

    def noted(findings: Iterator[Finding]) -> Iterator[Finding]:
        for finding in findings:
            found.append(finding)
            yield finding

    yield from noted(check_patches(ward))
    yield from noted(check_pairs(ward))
    for variant in variants_there(store):
        yield from noted(check_models(ward, variant))
        yield from noted(check_descriptors(ward, variant))
        yield from noted(check_index(ward, variant))
    yield from noted(check_reports(ward))
    yield from check_records(ward, found)
    yield from _left_over(store, found)


def mend(store: Store, finding: Finding, say: Callable[[str], None]) -> str | None:
    """Mends what was found, unless somebody is working on it.

    Args:
        store: the data root.
        finding: has a cure.
        say: is told what was done, or why nothing was.

    Returns:
        The asset to materialize next; None where nothing was done, empty where nothing has to be.
    """
    assert finding.cure is not None
    with alone(store, finding.cure.locks) as who:
        if who is not None:
            say(f"not mended: {who}; run again when that has ended")
            return None
        try:
            say(f"mended: {finding.cure.do()}")
        except (JepaError, OSError) as error:
            say(f"not mended: {error}")
            return None
    return finding.cure.select


def _left_over(store: Store, found: list[Finding]) -> Iterator[Finding]:
    known = {finding.path for finding in found}
    for finder in FINDERS:
        try:
            waste = finder(store, Wish())
        except (JepaError, OSError):
            # What cannot be read was found above; without it nothing can be called left over.
            continue
        for thing in waste:
            # Whoever works there may be about to need it.
            if thing.path not in known and at_work(store, thing.locks) is None:
                cure = Cure(thing.locks, _swept(thing.remove, str(thing.path)), "")
                mends = "jepa prune" if thing.kind != "temporary" else "jepa doctor --mend, or jepa prune"
                mendable = cure if thing.kind == "temporary" else None
                yield Finding(thing.path, thing.why, "it takes room", mends, wrong=False, cure=mendable)
    yield from _unfinished(store)


def _swept(remove: Callable[[], None], path: str) -> Callable[[], str]:
    def sweep() -> str:
        remove()
        return f"removed {path}"

    return sweep


def _unfinished(store: Store) -> Iterator[Finding]:
    """Trainings that did not end and that nobody is at: days may lie in them."""
    for folder in folders(store.root / "training"):
        variant, _, run = folder.name.partition("-")
        try:
            read_model_folder(store.root / "models" / variant / run)
        except JepaError:
            if at_work(store, locks_over(store, folder)) is None and not atomic.left_behind(folder):
                what = "checkpoints of a training that did not end"
                said = "the same command, which goes on from them; or deleting them by hand"
                yield Finding(folder, what, "they take room", said, wrong=False)
