"""A server's state as a test wants it, and a connection that only remembers what was asked of it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from PIL import Image, ImageDraw

from comfytui.client.account import Account
from comfytui.client.errors import Missing
from comfytui.client.target import Target
from comfytui.client.userdata import UserData
from comfytui.settings.schema import Settings
from comfytui.state.logs import Log
from comfytui.state.model import (
    Device,
    Failure,
    Job,
    JobState,
    Link,
    NodeRun,
    NodeState,
    Output,
    Phase,
    Preview,
    Run,
    ServerState,
    Stats,
    TimelineEntry,
    Timing,
)
from comfytui.state.models import Models
from comfytui.state.server_log import Told
from comfytui.tui.app import Dashboard
from comfytui.workflow.summary import Facts

NOW = 1_700_000_000.0
GB = 1 << 30


def clock() -> float:
    return NOW


def graph(
    seed: int = 8412, prompt: str = "a lighthouse keeper, oil on canvas, (rim light:1.2), storm"
) -> dict[str, Any]:
    return {
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sdxl_base_1.0.safetensors"}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": prompt, "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry, low quality", "clip": ["4", 1]}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 1024, "height": 1024, "batch_size": 1}},
        "3": {
            "class_type": "KSampler",
            "inputs": {"seed": seed, "steps": 30, "cfg": 6.5, "sampler_name": "dpmpp_2m", "scheduler": "karras",
                       "denoise": 1.0, "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0],
                       "latent_image": ["5", 0]},
        },
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "portrait"}},
    }  # fmt: skip


def facts(seed: int = 8412, name: str = "portrait_v4") -> Facts:
    return Facts(
        name=name, positive="a lighthouse keeper, oil on canvas, (rim light:1.2), storm", negative="blurry, low quality",
        seed=seed, steps=30, cfg=6.5, sampler="dpmpp_2m", scheduler="karras", denoise=1.0, width=1024, height=1024,
        batch=1, model="sdxl_base_1.0.safetensors", loras=("film_grain.safetensors",),
    )  # fmt: skip


def nodes(running: bool) -> tuple[NodeRun, ...]:
    times = {"4": 4.1, "6": 0.1, "7": 0.1, "5": 0.0}
    order = [(key, node["class_type"]) for key, node in graph().items()]
    done = tuple(
        NodeRun(key, kind, kind, NodeState.CACHED if key == "7" else NodeState.DONE, started=NOW - 15, ended=NOW - 15 + times.get(key, 9.0))
        for key, kind in order
    )  # fmt: skip
    if not running:
        return done
    sampler = NodeRun("3", "KSampler", "KSampler", NodeState.RUNNING, 14, 30, started=NOW - 5)
    return (*done[:4], sampler, *(NodeRun(key, kind, kind) for key, kind in order[5:]))


def picture(colour: str = "#c04030", edge: int = 64) -> bytes:
    """A scene that tells whether a drawing is the right way up."""
    image = Image.new("RGB", (edge, edge), "#20304a")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, edge * 2 // 3, edge, edge), fill="#2f5d3a")
    pen.ellipse((edge // 4, edge // 5, edge * 3 // 4, edge * 7 // 10), fill=colour)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def finished(number: int, state: JobState = JobState.DONE) -> Job:
    key = f"{number:08x}-0000-4000-8000-000000000000"
    start = NOW - 300 * number
    failure = Failure("CUDA out of memory", "torch.OutOfMemoryError", "3", "KSampler", ('File "nodes.py", line 12',))
    return Job(
        key, state, float(number), mine=number % 3 > 0, graph=graph(8400 + number), facts=facts(8400 + number),
        nodes=nodes(False), created=start - 2, started=start, ended=start + 21,
        outputs=(Output("9", "images", f"portrait_v4_{number:05}_.png"),) if state is JobState.DONE else (),
        failure=failure if state is JobState.FAILED else None,
    )  # fmt: skip


def stats(step: int = 0) -> Stats:
    used = int((12 + step % 4) * GB)
    card = Device("cuda:0 NVIDIA", "cuda", 0, vram_total=24 * GB, vram_free=24 * GB - used)
    return Stats("0.3.76", ram_total=64 * GB, ram_free=33 * GB, devices=(card,), taken=NOW)


def idle(history: int = 14) -> ServerState:
    """A live server that has made pictures, and does nothing now."""
    jobs = [finished(n, JobState.FAILED if n == 5 else JobState.DONE) for n in range(1, history + 1)]
    return ServerState(
        link=Link("http://gpu-box-2:8188", Phase.LIVE, NOW - 600, latency=0.012),
        stats=stats(3), stats_history=tuple(stats(n) for n in range(8)),
        jobs={job.id: job for job in jobs}, history=tuple(job.id for job in jobs),
        history_loaded=True, history_complete=True,
        timeline=(TimelineEntry(NOW - 600, "connected", "connected to gpu-box-2"),),
    )  # fmt: skip


def busy(waiting: int = 4) -> ServerState:
    """One job runs, others wait."""
    state = idle()
    running = Job(
        "7f3a0000-0000-4000-8000-000000000c21", JobState.RUNNING, 20.0, mine=True, graph=graph(), facts=facts(),
        nodes=nodes(True), created=NOW - 20, started=NOW - 15,
    )  # fmt: skip
    later = [
        Job(f"{n:08d}-aaaa-4000-8000-000000000000", JobState.WAITING, 21.0 + n, mine=n % 2 == 0, graph=graph(n),
            facts=facts(9000 + n, "flux_inpaint" if n == 3 else "portrait_v4"), created=NOW - 10 + n)
        for n in range(waiting)
    ]  # fmt: skip
    return replace(
        state,
        jobs={**state.jobs, running.id: running, **{job.id: job for job in later}},
        running=(running.id,), waiting=tuple(job.id for job in later),
        run=Run(running.id, "3", 14, 30, rate=2.9, left=6.0),
        preview=Preview(running.id, "3", "image/png", picture(), 14),
        timeline=(*state.timeline, TimelineEntry(NOW - 15, "started", "portrait_v4 started", running.id)),
    )  # fmt: skip


class StubLog:
    """A server's log that never changes."""

    def __init__(self) -> None:
        self.log = Log()
        self.told = Told.LIVE
        self.problem = ""
        self.missing = False
        self.followers: list[Callable[[], None]] = []

    def follow(self, on_change: Callable[[], None]) -> Callable[[], None]:
        self.followers.append(on_change)
        return lambda: self.followers.remove(on_change)

    def again(self) -> None:
        self.told = Told.ASKING


class StubRoutes:
    """Answers for the routes of model files: path → JSON; what is not there is a 404."""

    def __init__(self) -> None:
        self.target = Target.parse("http://gpu-box-2:8188")
        self.user = ""
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {
            "/users": {"storage": "server", "migrated": True},
            "/system_stats": {"system": {"comfyui_version": "0.3.76", "required_frontend_version": "1.35.9", "embedded_python": False}},
            "/experiment/models": [
                {"name": kind, "folders": [f"/data/models/{kind}"]} for kind in ("checkpoints", "loras", "vae", "upscale_models")
            ],
            "/experiment/models/checkpoints": [
                {"name": "sdxl_base_1.0.safetensors", "pathIndex": 0, "size": 6_938_040_682, "modified": NOW - 9e6},
                {"name": "flux/flux1-dev-fp8.safetensors", "pathIndex": 0, "size": 17_246_524_772, "modified": NOW - 4e6},
                {"name": "old/v1-5-pruned.ckpt", "pathIndex": 0, "size": 4_265_380_512, "modified": NOW - 6e7},
            ],
            "/experiment/models/loras": [
                {"name": "film_grain.safetensors", "pathIndex": 0, "size": 228_455_604, "modified": NOW - 2e6},
            ],
            "/experiment/models/vae": [
                {"name": "ae.safetensors", "pathIndex": 0, "size": 335_304_388, "modified": NOW - 4e6},
            ],
            "/experiment/models/upscale_models": [],
            "/view_metadata/checkpoints?sdxl_base_1.0.safetensors": {
                "modelspec.architecture": "stable-diffusion-xl-v1-base", "modelspec.author": "StabilityAI",
                "modelspec.title": "Stable Diffusion XL 1.0 Base", "modelspec.resolution": "1024x1024",
                "modelspec.license": "CreativeML Open RAIL++-M License",
            },
            "/view_metadata/loras?film_grain.safetensors": {
                "ss_base_model_version": "sdxl_base_v1-0", "ss_network_dim": "32", "ss_network_alpha": "16.0",
                "ss_output_name": "film_grain", "ss_num_train_images": "120", "ss_unet_lr": "0.0001",
                "ss_tag_frequency": '{"1_grain": {"film grain": 120, "night": 44}}', "trigger_words": "film grain, kodak",
            },
        }  # fmt: skip

    async def exchange(
        self, method: str, path: str, query: Any = None, *, body: Any = None, limit: int | None = None
    ) -> bytes:
        name = path + (f"?{query['filename']}" if query and "filename" in query else "")
        self.asked.append(name)
        if name not in self.answers:
            raise Missing(f"gpu-box-2:8188 has no {name} (HTTP 404).")
        answer = self.answers[name]
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


class StubConnection:
    """Remembers what was asked; `become` gives it another state."""

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self.target = Target.parse("http://gpu-box-2:8188")
        self.log = StubLog()
        self.routes = StubRoutes()
        self.theirs: dict[str, Any] = {
            "Comfy.ColorPalette": "dark",
            "Comfy.Locale": "en",
            "Comfy.UseNewMenu": True,
            "Comfy.Workflow.Nodes": ["a"],
        }
        self.userdata = UserData(self.routes)  # type: ignore[arg-type]
        self.account = Account(self.routes)  # type: ignore[arg-type]
        self.model_files = Models(self.routes, lambda: self.state)  # type: ignore[arg-type]
        self.asked: list[tuple[Any, ...]] = []
        self.fails: Exception | None = None
        self._callbacks: list[Callable[[ServerState], None]] = []

    def become(self, state: ServerState) -> None:
        self.state = state
        for callback in self._callbacks:
            callback(state)

    def subscribe(self, callback: Callable[[ServerState], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.asked.append(("close",))

    def retry_now(self) -> None:
        self.asked.append(("retry_now",))

    @property
    def read_only(self) -> bool:
        return self.state.read_only

    @read_only.setter
    def read_only(self, value: bool) -> None:
        self.become(replace(self.state, read_only=value))

    async def server_settings(self) -> dict[str, Any]:
        return dict(self.theirs)

    async def set_server_setting(self, key: str, value: Any) -> None:
        self.asked.append(("set_server_setting", key, value))
        if self.fails is not None:
            raise self.fails
        self.theirs[key] = value

    def raw_graph(self, prompt_id: str) -> Any:
        return self.state.jobs[prompt_id].graph

    async def fetch(self, output: Output, *, preview: str | None = None) -> bytes:
        number = sum(map(ord, output.filename))
        return picture(("#c04030", "#d0a030", "#3080c0", "#a050b0", "#40a060")[number % 5])

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def ask(*arguments: Any, **named: Any) -> Any:
            self.asked.append((name, *arguments, *([named] if named else [])))
            if self.fails is not None:
                raise self.fails
            return {} if name == "load_object_info" else None

        return ask


def dashboard(state: ServerState, **settings: Any) -> tuple[Dashboard, StubConnection]:
    """A dashboard on a connection that only remembers."""
    app = Dashboard(Settings(images="truecolor", **settings), clock=clock)
    connection = StubConnection(state)

    async def connect(_: str | None) -> None:
        app.session.attach(connection)  # type: ignore[arg-type]

    app.session.connect = connect  # type: ignore[method-assign]
    return app, connection


def kept(state: JobState, number: int = 0) -> Job:
    """A job of ours that is held here, or that the server lost."""
    told = "The server no longer knows this job: it was restarted, or somebody took the job back."
    return Job(
        f"{number:08d}-{'bbbb' if state is JobState.HELD else 'cccc'}-4000-8000-000000000000", state, 40.0 + number,
        mine=True, client_id="me", graph=graph(7000 + number), facts=facts(7000 + number), created=NOW - 90,
        failure=Failure(told) if state is JobState.LOST else None,
    )  # fmt: skip


def crowded(held: int = 2, lost: int = 2, paused: bool = False) -> ServerState:
    """A queue with all that can be in it: ours, another client's, a broadcast one, held and lost ones; times are known."""
    state = busy(4)
    jobs = {key: replace(job, shape="portrait") for key, job in state.jobs.items()}
    first, second, third, fourth = state.waiting
    jobs[first] = replace(jobs[first], mine=True, client_id="me")
    jobs[second] = replace(jobs[second], mine=False, client_id="3f2a9c1b77e04d12")
    jobs[third] = replace(jobs[third], mine=True, client_id="me")
    jobs[fourth] = replace(jobs[fourth], mine=False, client_id="")
    here = [kept(JobState.HELD, n) for n in range(held)]
    gone = [kept(JobState.LOST, n) for n in range(lost)]
    took = {"4": 4.1, "6": 0.1, "7": 0.1, "5": 0.0, "3": 11.0, "8": 1.0, "9": 0.5}
    timing = Timing(took, 16.8, 30 * 1024 * 1024.0, "sdxl_base_1.0.safetensors", NOW)
    return replace(
        state,
        jobs={**jobs, **{job.id: job for job in (*here, *gone)}},
        held=tuple(job.id for job in here), history=(*(job.id for job in gone), *state.history),
        paused=paused, timings={"portrait": timing},
    )  # fmt: skip
