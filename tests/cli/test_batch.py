"""`comfytui batch`: every job once, whatever breaks, and a report of what it did."""

from __future__ import annotations

import csv
import json
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from PIL import Image

from comfytui.cli.diagnostics import Exit
from comfytui.cli.shapes import BatchReport
from tests.support.replay import FakeComfy, html

from .conftest import Call

ROWS = 24


def texts(server: FakeComfy) -> Counter[str]:
    """How often each prompt was run to its end."""
    return Counter(entry["prompt"][2]["6"]["inputs"]["text"] for entry in server.history.values())


def posted(server: FakeComfy) -> list[dict[str, Any]]:
    return [each.body["prompt"] for each in server.asked("POST", "/prompt")]


@pytest.fixture
def rows(tmp_path: Path, workflow: Path) -> Path:
    """A job file with a row for each of ROWS prompts."""
    lines = ["prompt,seed", *(f'"prompt {each}, and more",{each}' for each in range(ROWS))]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    path = tmp_path / "jobs.yaml"
    path.write_text(f"workflow: {workflow.name}\nrows: rows.csv\nset: {{steps: 1}}\nin_flight: 3\n")
    return path


def sweep(tmp_path: Path, workflow: Path, **keys: Any) -> Path:
    path = tmp_path / "jobs.json"
    path.write_text(json.dumps({"workflow": workflow.name, **keys}))
    return path


def test_a_grid_is_run_saved_and_reported(call: Call, server: FakeComfy, workflow: Path, tmp_path: Path) -> None:
    jobs = sweep(tmp_path, workflow, grid={"steps": "1..2", "cfg": "5, 7.5"}, set={"Positive.text": "a cat"}, seed=[3])
    done = call("batch", jobs, "--server", server.url, "--json", "--sheet", "sheet.png", "--table", "table.csv")
    assert done.code == 0, done.err
    sent = [(each["3"]["inputs"]["steps"], each["3"]["inputs"]["cfg"]) for each in posted(server)]
    assert sorted(sent) == [(1, 5.0), (1, 7.5), (2, 5.0), (2, 7.5)]
    assert {each["6"]["inputs"]["text"] for each in posted(server)} == {"a cat"}
    report = done.json
    assert (report["total"], report["done"], report["left"]) == (4, 4, 0)
    assert report["jobs"][0]["values"] == {"steps": 1, "cfg": 5.0, "seed": 3}
    for each in report["jobs"]:
        with Image.open(each["files"][0]) as image:
            assert image.size == (64, 64)
    with (tmp_path / "table.csv").open() as table:
        assert [row["cfg"] for row in csv.DictReader(table)] == ["5.0", "7.5", "5.0", "7.5"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 1 * 96 and sheet.height > 4 * 64


def test_what_is_done_is_not_done_again(call: Call, server: FakeComfy, rows: Path) -> None:
    assert call("batch", rows, "--server", server.url).code == 0
    assert len(posted(server)) == ROWS
    again = call("batch", rows, "--server", "127.0.0.1:9")  # nothing is left: no server is asked
    assert (again.code, len(posted(server))) == (0, ROWS)
    assert f"{ROWS} done" in again.out
    with (rows.parent / "rows.csv").open("a") as file:
        file.write("one more,99\n")
    assert call("batch", rows, "--server", server.url).code == 0
    assert len(posted(server)) == ROWS + 1
    assert call("batch", rows, "--server", server.url, "--restart", "--no-save").code == 0
    assert len(posted(server)) == 2 * ROWS + 2


# A kill that leaves no time for anything, at the moments where a job could be lost or sent twice.
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_anywhere_every_row_is_run_once(
    seed: int, rows: Path, process: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    chance = random.Random(seed)
    running: list[subprocess.Popen[str]] = []
    kinds = ["POST /prompt", "accepted", "GET /history", "GET /view"]
    plan = [(kind, chance.randint(1, 5)) for kind in chance.sample(kinds, 4)]
    plan.insert(2, ("GET /queue", 1))  # while it looks for what was sent
    seen: Counter[str] = Counter()

    def happened(kind: str) -> None:
        seen[kind] += 1
        if plan and plan[0][0] == kind and seen[kind] >= plan[0][1] and running[-1].poll() is None:
            plan.pop(0)
            running[-1].kill()

    def admits(request: web.Request) -> bool:
        happened(f"{request.method} /{request.path.split('/')[1]}")
        return True

    with FakeComfy.in_thread(admits=admits) as server:

        async def accept(request: web.Request) -> web.StreamResponse:
            answer = await server._post_prompt(request)
            happened("accepted")
            return answer

        server.answer("POST", "/prompt", accept)
        for _ in range(8):
            seen.clear()
            running.append(process("batch", rows, "--server", server.url))
            _, err = running[-1].communicate(timeout=60)
            if running[-1].returncode != -signal.SIGKILL:
                break
        assert running[-1].returncode == 0, err
        assert not plan  # all of them were killed
        assert texts(server) == {f"prompt {each}, and more": 1 for each in range(ROWS)}
        names = [each.name for each in (tmp_path / "jobs-results").iterdir()]
        assert sorted(name[:5] for name in names if not name.startswith(".")) == [f"{n:05}" for n in range(1, ROWS + 1)]


def test_an_old_server_that_gives_its_own_ids_has_each_once(
    rows: Path, process: Callable[..., subprocess.Popen[str]]
) -> None:
    with FakeComfy.in_thread(dialect="old") as server:
        running: list[subprocess.Popen[str]] = []

        async def accept(request: web.Request) -> web.StreamResponse:
            answer = await server._post_prompt(request)
            if len(server.asked("POST", "/prompt")) == 5:
                running[-1].kill()
            return answer

        server.answer("POST", "/prompt", accept)
        for expected in (-signal.SIGKILL, 0):
            running.append(process("batch", rows, "--server", server.url, "--no-save"))
            _, err = running[-1].communicate(timeout=60)
            assert running[-1].returncode == expected, err
        assert set(texts(server).values()) == {1}
        assert len(texts(server)) == ROWS


def test_a_server_that_restarts_gets_what_it_forgot(rows: Path, process: Callable[..., subprocess.Popen[str]]) -> None:
    with FakeComfy.in_thread() as server:
        server.hold("3", 1)
        started = process("batch", rows, "--server", server.url, "--json")
        server.call("held")
        server.call("restart")
        out, err = started.communicate(timeout=60)
        assert started.returncode == 0, err
        assert "answers again" in err or "trying again" in err
        assert set(texts(server).values()) == {1}
        assert json.loads(out)["done"] == ROWS


def test_reasons_that_pass_are_tried_again_and_others_are_not(
    call: Call, server: FakeComfy, workflow: Path, tmp_path: Path
) -> None:
    jobs = sweep(tmp_path, workflow, grid={"steps": [1, 2]}, in_flight=1)
    server.fail_node("3", "torch.OutOfMemoryError", "CUDA out of memory")
    done = call("batch", jobs, "--server", server.url, "--json")
    assert (done.code, done.json["done"]) == (0, 2)
    assert [each["attempts"] for each in done.json["jobs"]] == [2, 1]
    assert len(server.asked("POST", "/free")) == 1

    server.requests.clear()
    server.fail_node("3", "ValueError", "never")
    done = call("batch", jobs, "--server", server.url, "--json", "--restart")
    assert (done.code, done.json["done"], done.json["failed"]) == (Exit.JOB_FAILED, 1, 1)
    assert "node 3 (KSampler): ValueError: never" in done.json["jobs"][0]["error"]
    assert len(posted(server)) == 2
    # It failed for good: it is told again, and run again only if that is asked for.
    assert call("batch", jobs, "--server", server.url).code == Exit.JOB_FAILED
    assert len(posted(server)) == 2
    assert call("batch", jobs, "--server", server.url, "--failed").code == 0
    assert len(posted(server)) == 3


def test_memory_is_tried_once_more_only(call: Call, server: FakeComfy, workflow: Path, tmp_path: Path) -> None:
    async def failing(request: web.Request) -> web.StreamResponse:
        server.fail_node("3", "torch.OutOfMemoryError", "CUDA out of memory")
        return await server._post_prompt(request)

    server.answer("POST", "/prompt", failing)
    done = call("batch", sweep(tmp_path, workflow, retries=5), "--server", server.url, "--json")
    assert (done.code, done.json["jobs"][0]["attempts"]) == (Exit.JOB_FAILED, 2)


def test_what_the_server_refuses_is_told(call: Call, server: FakeComfy, workflow: Path, tmp_path: Path) -> None:
    server.answer("GET", "/object_info", html())  # so that nothing is known before
    jobs = sweep(tmp_path, workflow, grid={"steps": [0, 1]})
    done = call("batch", jobs, "--server", server.url, "--json")
    assert done.code == Exit.REFUSED
    assert [each["state"] for each in done.json["jobs"]] == ["failed", "done"]
    assert "Value 0 smaller than min of 1" in done.json["jobs"][0]["error"]


def test_never_more_in_flight_than_allowed(call: Call, rows: Path) -> None:
    most = 0
    with FakeComfy.in_thread() as server:

        async def accept(request: web.Request) -> web.StreamResponse:
            nonlocal most
            answer = await server._post_prompt(request)
            most = max(most, len(server.pending) + (server.running is not None))
            return answer

        server.answer("POST", "/prompt", accept)
        assert call("batch", rows, "--server", server.url, "--in-flight", 2, "--no-save").code == 0
        assert len(posted(server)) == ROWS
    assert 1 <= most <= 2


def test_servers_share_the_work_and_one_may_be_missing(call: Call, rows: Path) -> None:
    with FakeComfy.in_thread() as one, FakeComfy.in_thread() as two:
        servers = ("--server", one.url, "--server", two.url, "--server", "127.0.0.1:9")
        done = call("batch", rows, *servers, "--no-save")
        assert done.code == 0
        assert "127.0.0.1:9 is left out" in done.err
        assert len(posted(one)) + len(posted(two)) == ROWS
        assert posted(one) and posted(two)


def test_a_server_that_goes_leaves_its_jobs_for_later(
    rows: Path, process: Callable[..., subprocess.Popen[str]]
) -> None:
    with FakeComfy.in_thread() as server:
        server.hold("3", 1)
        started = process("batch", rows, "--server", server.url, "--patience", 0)
        server.call("held")
        server.call("stop")
        out, err = started.communicate(timeout=60)
        assert started.returncode == Exit.UNREACHABLE
        assert f"{ROWS} left" in out and "go on with:  comfytui batch" in err


def test_ctrl_c_leaves_the_jobs_and_says_how_to_go_on(
    rows: Path, process: Callable[..., subprocess.Popen[str]]
) -> None:
    with FakeComfy.in_thread() as server:
        server.hold("3", 1)
        started = process("batch", rows, "--server", server.url)
        server.call("held")
        started.send_signal(signal.SIGINT)
        _, err = started.communicate(timeout=60)
        assert started.returncode == Exit.CTRL_C
        assert "go on with:  comfytui batch" in err
        server.call("release")
        again = process("batch", rows, "--server", server.url)
        _, err = again.communicate(timeout=60)
        assert again.returncode == 0, err
        assert set(texts(server).values()) == {1}
        assert len(texts(server)) == ROWS


def test_ctrl_c_can_take_the_jobs_back(rows: Path, process: Callable[..., subprocess.Popen[str]]) -> None:
    with FakeComfy.in_thread() as server:
        server.hold("3", 1)
        started = process("batch", rows, "--server", server.url, "--cancel-on-exit")
        server.call("held")
        started.send_signal(signal.SIGINT)
        _, err = started.communicate(timeout=60)
        assert started.returncode == Exit.CTRL_C
        assert "taken out of the queue" in err
        assert not server.pending
        server.call("release")
        again = process("batch", rows, "--server", server.url, "--json")
        out, err = again.communicate(timeout=60)
        assert again.returncode == 0, err
        assert json.loads(out)["done"] == ROWS


def test_two_at_once_are_refused(call: Call, rows: Path, process: Callable[..., subprocess.Popen[str]]) -> None:
    with FakeComfy.in_thread() as server:
        server.hold("3", 1)
        process("batch", rows, "--server", server.url)
        server.call("held")
        done = call("batch", rows, "--server", server.url)
        assert done.code == Exit.FILES
        assert "runs already" in done.err
        server.call("release")


def test_a_dry_run_tells_and_changes_nothing(call: Call, workflow: Path, tmp_path: Path) -> None:
    jobs = sweep(tmp_path, workflow, grid={"steps": "1..100", "cfg": "1..10"}, seed="random")
    done = call("batch", jobs, "--dry-run")  # no server
    assert done.code == 0
    assert done.lines[0] == "#1 mine.json steps=1 cfg=1.0 seed=random planned"
    assert done.lines[-1] == "1,000 jobs: 0 done, 1,000 to do; time unknown"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["jobs.json", "mine.json"]
    told = call("batch", jobs, "--dry-run", "--json").json
    assert (told["total"], len(told["jobs"]), told["estimate"]) == (1000, 1000, None)


def test_the_time_is_estimated_by_what_was_done(call: Call, server: FakeComfy, rows: Path) -> None:
    assert call("batch", rows, "--server", server.url, "--no-save").code == 0
    with (rows.parent / "rows.csv").open("a") as file:
        file.write("one more,99\n")
    told = call("batch", rows, "--dry-run", "--json").json
    assert (told["done"], told["left"]) == (ROWS, 1)
    assert told["estimate"] is not None


def test_json_is_of_the_documented_shape(call: Call, server: FakeComfy, rows: Path) -> None:
    import msgspec

    done = call("batch", rows, "--server", server.url, "--json", "--no-save")
    found = msgspec.json.decode(done.out, type=BatchReport, strict=True)
    assert found.total == ROWS
    assert all(each.prompt_id in server.history for each in found.jobs)


def test_read_only_sends_nothing(call: Call, server: FakeComfy, rows: Path) -> None:
    assert call("--read-only", "batch", rows, "--server", server.url).code == Exit.READ_ONLY
    assert not posted(server)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("workflow: mine.json\ngrid: {stpes: 1..3}", "Did you mean 'steps'"),
        ("workflow: mine.json\ngirds: {steps: 1..3}", "Did you mean grid?"),
        ("workflow: mine.json\ngrid: {steps: 1..3}\ngrid: {cfg: 2}", "line 3: 'grid' stands twice"),
        ("workflow: mine.json\ngrid: {seed: 1..1000, steps: 1..1000, cfg: 1..1000}", "1,000,000,000 jobs"),
        ("workflow: nowhere.json", "nowhere.json: no such file"),
        ("workflow: mine.json\nrows: nowhere.csv", "nowhere.csv: cannot be read"),
        ("workflow: [mine.json", "not YAML"),
        ("- 1", "not a job file"),
        ("workflow: mine.json\nin_flight: 0", "in_flight: cannot be 0"),
        ("workflow: mine.json\ngrid: {steps: [1, x]}", "grid.steps, value 2"),
        ("workflow: mine.json\nset: {cfg: 1}\ngrid: {3.cfg: [1, 2]}", "set the same input"),
        ("workflow: mine.json\nseed: random\ngrid: {seed: 1..2}", "sets the seed already"),
    ],
)
def test_what_is_wrong_with_a_job_file_is_named(
    text: str, said: str, call: Call, workflow: Path, tmp_path: Path
) -> None:
    (tmp_path / "jobs.yaml").write_text(text)
    done = call("batch", "jobs.yaml", "--dry-run")
    assert done.code == Exit.REFUSED
    assert said in done.err


def test_a_wrong_column_is_named(call: Call, rows: Path) -> None:
    (rows.parent / "rows.csv").write_text("seed;promt\n1;a\n")
    done = call("batch", rows, "--dry-run")
    assert done.code == Exit.REFUSED
    assert "rows.csv, line 1, column 2" in done.err and "Did you mean 'prompt'" in done.err
    (rows.parent / "rows.csv").write_text("prompt,seed\na,1\n\nb,two\n")
    assert "rows.csv, line 4, column 'seed'" in call("batch", rows, "--dry-run").err


def test_a_damaged_state_is_refused_and_a_torn_line_is_not(call: Call, server: FakeComfy, rows: Path) -> None:
    state = Path(f"{rows}.state.jsonl")
    assert call("batch", rows, "--server", server.url, "--no-save").code == 0
    whole = state.read_bytes()
    state.write_bytes(whole + b'{"line":"sent","key":"ab')
    assert call("batch", rows, "--server", server.url, "--no-save").code == 0
    assert state.read_bytes() == whole
    state.write_bytes(whole.replace(b'"line":"end"', b'"line":"odd"', 1))
    done = call("batch", rows, "--server", server.url)
    assert done.code == Exit.FILES
    assert ", line " in done.err and "--restart" in done.err
    assert len(posted(server)) == ROWS
    assert state.stat().st_mode & 0o077 == 0


def test_prompts_are_expanded_by_each_jobs_seed_and_a_missing_file_is_one_jobs_end(
    call: Call, server: FakeComfy, workflow: Path, tmp_path: Path
) -> None:
    text = ["STRING", {"multiline": True, "dynamicPrompts": True}]
    words = {**server.object_info["CLIPTextEncode"], "input": {"required": {"text": text, "clip": ["CLIP"]}}}
    server.object_info = {**server.object_info, "CLIPTextEncode": words}
    grid = {"Positive.text": ["{a|b|c|d} {a|b|c|d} {a|b|c|d}", "__colour__"]}
    done = call("batch", sweep(tmp_path, workflow, grid=grid, seed=[3, 4, 5]), "--server", server.url, "--json")
    assert (done.json["done"], done.json["total"]) == (3, 6), done.err
    sent = {each["6"]["inputs"]["text"] for each in posted(server)}
    assert len(sent) > 1
    assert not any(sign in each for each in sent for sign in "{|}_")
    failed = [each for each in done.json["jobs"] if each["state"] != "done"]
    assert len(failed) == 3
    assert all("wildcard_folders" in each["error"] for each in failed)
