"""Files of a site's state that a disk, or somebody, has changed: healed, or one sentence, and never a traceback.

What a damaged account could hide is that more has left than may.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.attacks.institution import Institution, nothing, weights_of

KEPT = {
    "account.json": "account.json",
    "answers": "runs/0123456789abcdef/answers.json",
    "reply": "runs/0123456789abcdef/answer-train-1.safetensors",
    "model": "runs/0123456789abcdef/seen-model.safetensors",
    "state": "runs/0123456789abcdef/state.safetensors",
    "rows": "rows.safetensors",
    "secret": "site.secret",
    "audit": "audit.jsonl",
}


def flipped(content: bytes, place: float) -> bytes:
    at = min(len(content) - 1, int(place * len(content)))
    return content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "first byte": lambda content: flipped(content, 0),
    "a byte in the middle": lambda content: flipped(content, 0.5),
    "last byte but one": lambda content: flipped(content, 1 - 2 / max(2, len(content))),
    "other JSON": lambda content: b'{"runs": [], "mu-squared": -99}',
    "deep": lambda content: b"[" * 50_000,
}


@pytest.mark.runs
@pytest.mark.parametrize("what", KEPT)
@pytest.mark.parametrize("how", SPOILT)
def test_a_damaged_file_is_healed_or_told_in_one_sentence(institution: Institution, what: str, how: str) -> None:
    model = institution.start
    for number in (1, 2):
        model = weights_of(institution.ask(number, institution.start if number == 1 else model))
    path = institution.state / KEPT[what]
    if not path.exists():
        pytest.skip(f"{what} is not kept by this run")
    path.write_bytes(SPOILT[how](path.read_bytes()))
    reply = institution.ask(3, model)
    log = institution.state / "site.log"
    assert not log.exists() or "Traceback" not in log.read_text()
    if not reply.has_content():
        assert nothing(reply) == "north sends nothing; its operator can see why"
        assert len(log.read_text().splitlines()) == 1
        assert institution.state.name in log.read_text()


def test_an_account_that_was_emptied_or_removed_is_made_again_from_the_audit_log(institution: Institution) -> None:
    policy = institution.folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("max-rounds: 1000", "max-rounds: 2"))
    weights_of(institution.ask(1, institution.start))
    weights_of(institution.ask(1, institution.start, run="f" * 16))
    account = institution.state / "account.json"
    for spoil in (account.unlink, lambda: account.write_text(""), lambda: account.write_text('{"runs": {}}')):
        spoil()
        nothing(institution.ask(1, institution.start, run="e" * 16))
        assert "2 rounds of all runs are answered" in institution.events[-1]["reason"]


def test_without_account_and_audit_log_nothing_leaves(institution: Institution) -> None:
    weights_of(institution.ask(1, institution.start))
    weights_of(institution.ask(1, institution.start, run="f" * 16))
    for name in ("account.json", "audit.jsonl"):
        (institution.state / name).unlink()
    nothing(institution.ask(1, institution.start, run="e" * 16))
    assert "audit.jsonl is gone, although this site has taken part in runs" in _last_reason(institution.state)


def test_lines_cut_off_the_audit_log_are_missed(institution: Institution) -> None:
    for number in (1, 2, 3):
        institution.ask(1, institution.start, run=f"{number:016x}")
    path = institution.state / "audit.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:1]))
    nothing(institution.ask(1, institution.start, run="e" * 16))
    assert "has lost lines: 1 are left of 2" in _last_reason(institution.state)


def _last_reason(state: Path) -> str:
    return str(json.loads((state / "audit.jsonl").read_text().splitlines()[-1])["reason"])
