"""docs/plugins.md, followed literally: the commands of its first part run in a fresh folder, in one shell, and print what the page says."""

import os
import re
import socket
import subprocess
import time

import pytest

from conftest import BINARY, ROOT

PAGE = (ROOT / "docs" / "plugins.md").read_text()
PATIENCE = 300  # seconds; a compiler runs

pytestmark = pytest.mark.only_sqlite


def first_part():
    """The blocks of the tutorial as (language, text)."""
    part = PAGE.split("## A first plugin in fifteen minutes")[1].split("\n## ")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)


def steps():
    """Commands, each with what the page says that they print, if it says so."""
    found = []
    for language, text in first_part():
        if language == "bash":
            found.append([text, None])
        elif language == "text":
            found[-1][1] = text
    return found


def pattern(expected):
    """An ellipsis stands for anything, on a line of its own for any lines; spaces for any spaces."""
    lines = []
    for line in expected.rstrip("\n").split("\n"):
        if line == "…":
            lines.append(r"(?:.*\n)*?")
        else:
            words = [r"\s+".join(re.escape(word) for word in re.split(r"\s+", piece)) for piece in line.split("…")]
            lines.append(".*".join(words) + r"[ ]*\n")
    return re.compile("".join(lines))


class Shell:
    """One shell for all commands; the server's port is a free one instead of the page's."""

    def __init__(self, folder, port):
        (folder / "skald").symlink_to(ROOT)
        environment = os.environ | {"HOME": str(folder), "SKALD_ADDRESS": f"127.0.0.1:{port}", "PATH": f"{BINARY.parent}:{os.environ['PATH']}"}
        self.port = port
        self.process = subprocess.Popen(
            ["bash", "--norc", "-m"], cwd=folder, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )

    def run(self, commands):
        commands = commands.replace("skald server ", f"skald server --grpc 127.0.0.1:{self.port} ")
        self.process.stdin.write(commands + "\necho; echo END-OF-STEP\n")
        self.process.stdin.flush()
        printed = ""
        while not printed.endswith("\nEND-OF-STEP\n"):
            line = self.process.stdout.readline()
            assert line, f"the shell ended:\n{printed}"
            printed += line
        return printed.removesuffix("\nEND-OF-STEP\n").replace(f":{self.port}", ":7233")

    def wait_for_log(self, folder, text):
        log = folder / "wishes" / "server.log"
        for _ in range(200):
            if log.exists() and text in log.read_text():
                return
            time.sleep(0.1)
        raise AssertionError(f"the server never said: {text}")

    def close(self):
        self.process.stdin.write("kill %1 2>/dev/null\n")
        self.process.stdin.close()
        os.killpg(self.process.pid, 15)
        self.process.wait(timeout=30)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_the_first_plugin_of_the_page_works_as_the_page_says(tmp_path):
    shell = Shell(tmp_path, free_port())
    try:
        for commands, expected in steps():
            printed = shell.run(commands)
            if "skald server" in commands:
                shell.wait_for_log(tmp_path, "serving on")
            if "kill -HUP" in commands:
                shell.wait_for_log(tmp_path, "reloaded")
            if expected is not None:
                assert pattern(expected).search(printed), f"{commands}printed:\n{printed}\nand not:\n{expected}"
    finally:
        shell.close()
    assert (tmp_path / "wishes" / "plugins" / "wishes.so").exists()


def test_the_page_shows_the_plugin_that_new_writes(tmp_path):
    subprocess.run([BINARY, "plugin", "new", "wishes", "--dir", tmp_path / "wishes"], check=True, stdout=subprocess.DEVNULL)
    shown = [text for language, text in first_part() if language == "cpp"]
    assert shown == [(tmp_path / "wishes" / "wishes.cc").read_text()]


def test_mistakes_of_a_configuration_are_told_as_the_page_says(tmp_path):
    """The page's example of mistakes, in the plugin that the page writes."""
    part = PAGE.split("## Configuration\n")[1].split("\n### ")[0]
    sentences = re.search(r"^```text\n(.*?)^```$", part, re.MULTILINE | re.DOTALL).group(1)
    subprocess.run([BINARY, "plugin", "new", "wishes", "--dir", tmp_path / "wishes"], check=True, stdout=subprocess.DEVNULL)
    folder = tmp_path / "wishes"
    source = [text for _, text in first_part() if text.startswith("g++")][0].replace("$HOME/skald", str(ROOT))
    subprocess.run(["bash", "-c", source], cwd=folder, check=True, timeout=PATIENCE)
    (folder / "plugins" / "wishes.json").write_text(
        '{\n  "greetng": "Good day",\n  "token": "s3cret",\n  "limits": {"max_concurrent_activities": "many", "max_activities_per_second": -1}\n}\n'
    )
    checked = subprocess.run([BINARY, "plugin", "check", "plugins/wishes.so"], cwd=folder, capture_output=True, text=True)
    assert checked.returncode == 1
    assert "s3cret" not in checked.stdout + checked.stderr
    for sentence in sentences.strip().split("\n"):
        assert sentence in checked.stdout, checked.stdout
