import pytest

from tests.engine.models import tiny


@pytest.fixture(scope="session")
def networks():
    return tiny.networks()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory, networks):
    """A whole checkpoint file with random weights; the same as `networks`."""
    return tiny.write(tmp_path_factory.mktemp("models") / "tiny.safetensors", networks)
