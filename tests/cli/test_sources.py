"""Commands take a workflow from wherever it is, and tell what would be uploaded and fetched for it."""

from __future__ import annotations

import json
from pathlib import Path

from comfytui.cli.diagnostics import Exit
from tests.support.replay import FakeComfy, txt2img
from tests.workflow.embedded import carriers

from .conftest import Call


def test_a_picture_on_the_server_runs_by_its_link(call: Call, server: FakeComfy) -> None:
    server.files["output", "", "a.png"] = carriers.png({"prompt": json.dumps(txt2img(seed=77))})
    for file in (f"{server.url}/view?filename=a.png", "server:output/a.png"):
        done = call("run", file, "--server", server.url, "--no-wait")
        assert done.code == 0, done.err
        assert server.asked("POST", "/prompt")[-1].body["prompt"] == txt2img(seed=77)
    done = call("run", "http://elsewhere/view?filename=a.png", "--server", server.url)
    assert done.code == Exit.REFUSED and "is on elsewhere" in done.err
    done = call("inspect", f"{server.url}/view?filename=a.png")
    assert done.code == Exit.REFUSED and "Download it" in done.err


def test_a_film_runs_from_this_disk(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(carriers.mp4({"prompt": json.dumps(txt2img(seed=5))}))
    assert call("run", "film.mp4", "--server", server.url, "--no-wait").code == 0
    assert server.asked("POST", "/prompt")[-1].body["prompt"] == txt2img(seed=5)


def test_check_tells_what_lies_here_and_what_can_be_fetched(call: Call, server: FakeComfy, tmp_path: Path) -> None:
    server.object_info = {
        **server.object_info,
        "LoadImage": {"input": {"required": {"image": [["x.png"], {"image_upload": True}]}}, "output": ["IMAGE"]},
        "Loader": {"input": {"required": {"unet_name": [["flux-fp8.safetensors"]]}}, "output": ["MODEL"]},
        "Save": {"input": {"required": {"a": ["*"], "b": ["*"]}}, "output": [], "output_node": True},
    }
    url = "https://huggingface.co/a/b/resolve/main/flux-fp16.safetensors"
    model = {"name": "flux-fp16.safetensors", "url": url, "directory": "diffusion_models"}
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "me.png"}},
        "2": {"class_type": "Loader", "inputs": {"unet_name": "flux-fp16.safetensors"}},
        "3": {"class_type": "Save", "inputs": {"a": ["1", 0], "b": ["2", 0]}},
    }
    page = {"nodes": [{"id": 2, "type": "Loader", "properties": {"models": [model]}}], "links": []}
    (tmp_path / "me.png").write_bytes(b"x")
    (tmp_path / "w.json").write_text(json.dumps({"prompt": graph, "workflow": page}))
    done = call("check", "w.json", "--server", server.url, "--json")
    assert done.code == Exit.LACKING
    picture, loader = json.loads(done.lines[0])["missing"]
    assert picture["path"] == str(tmp_path / "me.png")
    assert (loader["near"], loader["how"]) == (["flux-fp8.safetensors"], ["in another precision"])
    assert loader["url"] == url and loader["fetch"].startswith("mkdir -p -- models/diffusion_models && curl ")
    done = call("check", "w.json", "--server", server.url)
    assert "comfytui upload" in done.err and url in done.err


def test_inspect_shows_what_another_program_wrote(call: Call, tmp_path: Path) -> None:
    text = "a \x1b[31mcat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, Seed: 42, Size: 512x768"
    (tmp_path / "a.png").write_bytes(carriers.png({"parameters": text}))
    done = call("inspect", "a.png", "--json")
    assert done.code == 0
    told = json.loads(done.lines[0])
    assert (told["form"], told["facts"]["seed"], told["facts"]["width"]) == ("none", 42, 512)
    assert told["parameters"]["Sampler"] == "Euler a" and "\x1b" not in done.out
    assert "Euler a" in call("inspect", "a.png").out
    assert call("run", "a.png", "--server", "http://127.0.0.1:1").code == Exit.REFUSED
