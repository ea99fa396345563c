import msgspec
import pytest

from engine.options import from_json, parse, to_json, without_effect


def test_the_defaults_are_comfyuis() -> None:
    options = parse([])
    assert (options.listen, options.port, options.preview_method, options.cache) == (
        "127.0.0.1",
        8188,
        "none",
        "classic",
    )
    assert options.max_upload_bytes == 104857600
    assert options.enable_cors_header is None
    assert not options.cpu


@pytest.mark.parametrize(
    ("flags", "field", "value"),
    [
        (["--listen"], "addresses", ("0.0.0.0", "::")),
        (["--listen", "::1, 127.0.0.1"], "addresses", ("::1", "127.0.0.1")),
        (["--enable-cors-header"], "enable_cors_header", "*"),
        (["--enable-cors-header", "http://a"], "enable_cors_header", "http://a"),
        (["--cpu"], "cpu", True),
        (["--lowvram"], "memory_mode", "lowvram"),
        (["--cache-lru", "5"], "cache", "lru"),
        (["--cache-none"], "cache", "none"),
        (["--cache-ram"], "cache_ram", 4.0),
        (["--cache-ram", "2.5"], "cache", "ram"),
        (["--fp8_e4m3fn-unet"], "unet_dtype", "fp8_e4m3fn"),
        (["--fp16-vae"], "vae_dtype", "fp16"),
        (["--bf16-text-enc"], "text_encoder_dtype", "bf16"),
        (["--verbose"], "verbose", "DEBUG"),
        (
            ["--extra-model-paths-config", "a", "b", "--extra-model-paths-config", "c"],
            "extra_model_paths_config",
            ("a", "b", "c"),
        ),
    ],
)
def test_flags(flags: list[str], field: str, value: object) -> None:
    options = parse(flags)
    assert getattr(options, field) == value
    assert from_json(to_json(options)) == options


@pytest.mark.parametrize(
    "flags",
    [
        ["--port", "70000"],
        ["--port", "x"],
        ["--preview-method", "nice"],
        ["--cpu", "--lowvram"],
        ["--force-fp16", "--force-fp32"],
        ["--cache-none", "--cache-lru", "3"],
        ["--max-upload-size", "0"],
        ["--prev", "auto"],
        ["--unknown"],
    ],
)
def test_a_wrong_command_line_ends_with_2(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(flags)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_options_that_are_not_ours_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="port"):
        from_json('{"port": "x"}')


def test_help_names_the_default_folder(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    assert "~/.local/share/comfytui" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--lowvram"], "--lowvram"),
        (["--novram"], "--novram"),
        (["--cpu", "--reserve-vram", "1"], "--reserve-vram"),
        (["--fp8_e5m2-unet"], "--fp8_e5m2-unet"),
        (["--fp8_e4m3fn-text-enc"], "--fp8_e4m3fn-text-enc"),
        (["--preview-method", "taesd"], "taesd"),
        (["--whitelist-custom-nodes", "mine"], "--whitelist-custom-nodes"),
    ],
)
def test_a_flag_that_does_nothing_says_so(flags: list[str], word: str) -> None:
    (sentence,) = without_effect(parse(flags))
    assert word in sentence


def test_flags_that_work_are_not_complained_about() -> None:
    assert (
        without_effect(parse(["--force-fp32", "--fp16-unet", "--bf16-vae", "--cpu-vae", "--reserve-vram", "2"])) == []
    )
