"""SOPS and age: files that the real sops (3.11) encrypted for a key of these tests are opened as it does; altered ones are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pyrage
import pytest
import yaml

from composer.gitops.errors import Undecryptable
from composer.gitops.mask import Mask
from composer.gitops.secrets import opener

HERE = Path(__file__).parent / "sops"
KEY = str(HERE / "key.txt")
PLAIN = {"file.bin": "plain.bin", "text.txt": "plain.txt"}


@pytest.mark.parametrize("name", ["all.yaml", "regex.yaml", "suffix.yaml", "all.json", "all.env", "file.bin", "text.txt"])
def test_what_sops_encrypted(name: str) -> None:
    found = opener([KEY])(name, (HERE / name).read_bytes())
    wanted = (HERE / PLAIN.get(name, f"plain-{name}")).read_bytes()
    assert found.secret
    if name.endswith("yaml"):
        assert yaml.safe_load(found.data) == yaml.safe_load(wanted)
    elif name.endswith("json"):
        assert json.loads(found.data) == json.loads(wanted)
    else:
        assert found.data == wanted
    assert found.values


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("all.yaml", "database:", "databases:"),  # moved
        ("all.yaml", "password: ENC[AES256_GCM,data:", "password: ENC[AES256_GCM,data:AAAA"),  # altered
        ("regex.yaml", "hosts:", "password:\n        added: true\n    hosts:"),
        ("all.env", "API_KEY=", "OTHER_KEY="),
        ("all.json", '"token"', '"tokens"'),
        ("suffix.yaml", "plain_unencrypted: readable", "plain_unencrypted: altered"),  # only the MAC tells
        ("suffix.yaml", "multi: |", "more: 1\nmulti: |"),
    ],
)
def test_an_altered_file_is_refused(name: str, old: str, new: str) -> None:
    text = (HERE / name).read_text()
    assert old in text
    with pytest.raises(Undecryptable) as error:
        opener([KEY])(name, text.replace(old, new, 1).encode())
    assert "correct horse" not in error.value.message


def test_a_value_cannot_be_dropped() -> None:
    lines = [line for line in (HERE / "all.env").read_text().splitlines() if not line.startswith("API_KEY")]
    with pytest.raises(Undecryptable, match="message authentication code"):
        opener([KEY])("all.env", "\n".join(lines).encode())


def test_the_wrong_key_and_no_key() -> None:
    data = (HERE / "all.yaml").read_bytes()
    with pytest.raises(Undecryptable, match="cannot be decrypted"):
        opener([str(HERE / "other-key.txt")])("all.yaml", data)
    with pytest.raises(Undecryptable, match="no key was given"):
        opener([])("all.yaml", data)
    with pytest.raises(Undecryptable, match="cannot be read"):
        opener(["/nowhere/key"])("all.yaml", data)
    assert opener([KEY, str(HERE / "other-key.txt")])("all.yaml", data).secret


@pytest.mark.parametrize("armored", [False, True])
def test_an_env_file_that_age_encrypted(armored: bool) -> None:
    identity = pyrage.x25519.Identity.from_str((HERE / "key.txt").read_text().splitlines()[-1])
    data = pyrage.encrypt(b"A=first secret\nexport B='second secret'\n# note\n", [identity.to_public()], armored=armored)
    found = opener([KEY])("prod.env", data)
    assert found.data.startswith(b"A=first secret")
    assert {"first secret", "second secret"} <= set(found.values)
    with pytest.raises(Undecryptable):
        opener([KEY])("prod.env", data[:-20] + b"x" * 20)


def test_plain_files_pass() -> None:
    for data in (b"A=1\n", b"services: {}\n", b'{"sops": 1}', b"sops: about sops\n", b"\xff\xfe"):
        assert opener([])("x", data).data == data
        assert not opener([])("x", data).secret


def test_the_mask_hides_the_longest_first() -> None:
    mask = Mask()
    mask.learn(["abcd", "abcdefgh", "two\nlines-here", "x"])
    assert mask.hide("abcdefgh abcd two lines-here x") == "******** ******** two ******** x"
