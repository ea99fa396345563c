from __future__ import annotations

from pathlib import Path

import pytest

from comfytui.tui.terminal import crash


@pytest.mark.parametrize(
    "text",
    [
        "GET https://ann:hunter2@box:8188/queue failed",
        "Authorization: Bearer hunter2",
        "{'X-Api-Key': 'hunter2'}",
        "http://box/view?token=hunter2&x=1",
        "password = hunter2",
    ],
)
def test_what_looks_like_a_credential_is_blotted(text: str) -> None:
    said = crash.blotted(text)
    assert "hunter2" not in said and crash.BLOT in said


def test_a_known_secret_is_blotted_wherever_it_stands() -> None:
    assert crash.blotted("x-S3CRET-y", ["S3CRET"]) == f"x-{crash.BLOT}-y"


def test_a_report_has_the_traceback_and_no_values(tmp_path: Path) -> None:
    def fails(token: str) -> None:
        raise ValueError(f"no access with token={token}")

    try:
        fails("-".join(["tok", "1234567"]))
    except ValueError as error:
        path = crash.write(crash.report(error), tmp_path)
        words = crash.words(error, path)
    log = path.read_text("utf-8")
    assert "in fails" in log and "ValueError" in log
    assert "tok-1234567" not in log + words
    assert str(path) in words and "comfytui 0" in words
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_log_is_bounded_and_nobodys_link_is_followed(tmp_path: Path) -> None:
    for _ in range(8):
        path = crash.write("x" * 200_000, tmp_path)
    assert path.stat().st_size < crash.MOST_BYTES + 400_000
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        crash.write("x", tmp_path)
    assert not (tmp_path / "elsewhere").exists()
