"""The receipt as a page, in a real browser."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tidewatt.cli.record import gather
from tidewatt.report import html
from tidewatt.report.receipt import build
from tidewatt.sdk.client import Client, Options
from tidewatt.sdk.load import load

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
JOB = "import tidewatt as tw\n@tw.function()\ndef hello(name):\n    return f'<b>{name}</b>'\n"


@pytest.fixture
def page(client: Client, tmp_path: Path) -> Path:
    """The receipt of a real job whose argument tries to break out of its place."""
    file = tmp_path / "job.py"
    file.write_text(JOB)
    path, handle = load(str(file))
    job = client.submit(handle, {"name": "<script>document.title='broken'</script>"}, Options(source=path))
    client.result(job)
    page = tmp_path / "receipt.html"
    page.write_text(html.render(build(gather(client, client.job(job)))))
    return page


def test_a_browser_shows_the_page_and_runs_nothing_in_it(page: Path, tmp_path: Path) -> None:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium here; 'apt install chromium' brings one")
    shown = subprocess.run(
        [browser, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert "<svg" in shown
    assert "hello" in shown
    assert "<title>broken" not in shown
    assert "<script" not in shown


def test_the_page_needs_nothing_from_outside(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", text) == []
    assert re.findall(r"@import|url\(\s*['\"]?https?:", text) == []
