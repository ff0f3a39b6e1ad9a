"""The reference pages are what the code declares."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_pages_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    stale = [
        name
        for name, text in generate.pages().items()
        if not (DOCS / "reference" / name).exists() or (DOCS / "reference" / name).read_text(encoding="utf-8") != text
    ]
    assert not stale, "run python docs/generate.py"
