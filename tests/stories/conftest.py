"""One control room and one browser for all stories; every story brings its own people and numbers."""

import json
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from tests.support import browser, whole
from tests.support.browser import PICTURES, Chromium
from tests.support.people import Town
from tests.support.sip import needs_sipp
from tests.support.whole import Centre

HERE: Final = Path(__file__).parent
FAILED: Final = HERE / "failed"
TIMES: Final = PICTURES / "times.json"

_centres: list[Centre] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.story)
            item.add_marker(pytest.mark.timeout(180))
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(needs_sipp)
            item.add_marker(browser.needs_chromium)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A story that failed says where its pictures are and what everybody wrote last."""
    report: pytest.TestReport = yield  # type: ignore[assignment]  # a wrapper is sent what the others made
    if report.failed and HERE in item.path.parents:
        kept = sorted(str(path.relative_to(HERE.parents[1])) for path in _kept_of(item).glob("*"))
        report.sections.append(("kept (open a .zip with: playwright show-trace)", "\n".join(kept)))
        for centre in _centres:
            report.sections.extend((f"end of {name}", text) for name, text in centre.logs().items())
    return report  # type: ignore[return-value]


def _kept_of(item: pytest.Item) -> Path:
    """The folder for what is kept of a story that failed."""
    return FAILED / re.sub(r"\W+", "-", item.name)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def centre(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Centre]:
    async with whole.running(tmp_path_factory.mktemp("centre")) as running:
        _centres.append(running)
        yield running
        _centres.remove(running)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Chromium]:
    async with browser.chromium(FAILED) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def town(centre: Centre, chromium: Chromium, request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    kept = _kept_of(request.node)
    shutil.rmtree(kept, ignore_errors=True)
    yield Town(centre, Chromium(chromium.browser, kept))
    await centre.daemons_return()


@pytest.fixture
def took(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """Tell a measured time: printed with the story, and kept for the README in ``times.json``."""

    def tell(what: str, seconds: float) -> None:
        PICTURES.mkdir(exist_ok=True)
        times = json.loads(TIMES.read_text()) if TIMES.exists() else {}
        times[what] = round(seconds, 3)
        TIMES.write_text(json.dumps(times, indent=2, sort_keys=True) + "\n")
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print(f"\n    {what}: {seconds:.3f} s")  # noqa: T201 - for the person who runs the stories

    return tell
