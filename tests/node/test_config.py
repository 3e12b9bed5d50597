"""Configuration: file under environment, unknown keys are errors, every key documented."""

import pytest

from salus.node.config import Config, keys, read, section_docs, variable
from salus.node.errors import Malformed, NotFound


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "salus.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_without_file_and_environment_every_key_has_its_default():
    assert read(None, {}) == Config()


def test_the_environment_lies_over_the_file(file):
    config = read(
        file('member = "st-anna"\n[http]\nport = 1\nhost = "0.0.0.0"'),
        {"SALUS_HTTP_PORT": "2", "HOME": "/", "SALUS_CONFIG": "x"},
    )
    assert (config.member, config.http.port, config.http.host) == ("st-anna", 2, "0.0.0.0")


@pytest.mark.parametrize(
    "text", ["ports = 1", "[http]\nprt = 1", "http = 1", 'member = "ST"', "[http]\nport = 70000", '[http]\nport = "1"']
)
def test_an_unknown_key_or_a_wrong_value_is_refused(file, text):
    with pytest.raises(Malformed) as refused:
        read(file(text), {})
    assert refused.value.code == "config.invalid"


@pytest.mark.parametrize(
    ("environment", "code"),
    [({"SALUS_PORT": "1"}, "config.unknown-variable"), ({"SALUS_HTTP_PORT": "many"}, "config.invalid")],
)
def test_an_unknown_variable_or_a_wrong_value_is_refused(environment, code):
    with pytest.raises(Malformed) as refused:
        read(None, environment)
    assert refused.value.code == code


def test_a_file_that_is_not_there_or_no_toml_is_refused(file, tmp_path):
    with pytest.raises(NotFound):
        read(tmp_path / "none.toml", {})
    for text in ("member", b"\xff"):
        with pytest.raises(Malformed) as refused:
            read(file(text), {})
        assert refused.value.code == "config.not-toml"


def test_every_key_is_documented_and_can_be_set_from_the_environment():
    for path, field in keys():
        assert field.description, path
        assert field.examples, path
        value = field.examples[0]
        config = read(None, {variable(path): str(value)})
        for name in path:
            config = getattr(config, name)
        assert config == value
    assert all(told for _, told in section_docs())
