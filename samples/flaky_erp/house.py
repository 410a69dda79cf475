"""A server and an ERP in a scratch folder, and what one may ask of them."""
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request

API_KEY = "key-of-the-sample"


class Process:
    """One that says where it serves. It ends with this one: its input does."""

    def __init__(self, command, log):
        self.log = log
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(log, "a"), text=True)
        self.address = self._wait_for_address()

    def _wait_for_address(self):
        for line in self.process.stdout:
            if "serving on " in line:
                return line.split("serving on ")[1].split()[0]
        raise SystemExit(f"it did not start: {self.process.args[0]}\n{open(self.log).read()}")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        self.process.terminate()
        self.process.wait()


class Erp(Process):
    def __init__(self, binary, scratch, faults):
        super().__init__([binary, "--api-key", API_KEY, "--faults", json.dumps(faults)], f"{scratch}/erp.log")

    def somebody(self, path, body, method="POST", version=None):
        """Somebody in the ERP does it; the sandbox's own routes have no faults. With a version: None if the record has another one by now."""
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        request = urllib.request.Request(f"{self.address}/sandbox/{path}", json.dumps(body).encode(), headers, method=method)
        try:
            return self._answer(request)
        except urllib.error.HTTPError as refusal:
            if version is None or refusal.code != 409:
                raise
            return None

    def _answer(self, request):
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    def books(self):
        with urllib.request.urlopen(f"{self.address}/sandbox/books") as reply:
            return json.load(reply)


class Server:
    def __init__(self, skald, scratch, erp):
        with open(f"{scratch}/plugins/erp.key", "w") as key:
            key.write(API_KEY)
        config = {"url": erp.address, "api_key": "file:erp.key", "conflicts": {"orders": "ask", "stock": "ours_wins"}, "http": {"timeout_ms": 2000}}
        with open(f"{scratch}/plugins/erp.json", "w") as file:
            json.dump(config, file)
        self.skald, self.scratch, self.log = skald, scratch, f"{scratch}/server.log"
        self.process = self._start("127.0.0.1:0")
        self.address = self.process.address

    def _start(self, address):
        return Process([self.skald, "server", "--store", f"sqlite:{self.scratch}/skald.sqlite", "--grpc", address, "--workflows", f"{self.scratch}/workflows",
                        "--plugins", f"{self.scratch}/plugins"], self.log)

    def kill_and_start_again(self):
        self.process.kill()
        began = time.monotonic()
        self.process = self._start(self.address)
        return time.monotonic() - began

    def end(self):
        self.process.end()

    def call(self, *words):
        """One command of `skald workflow`; its output."""
        done = subprocess.run([self.skald, "workflow", *words, "--address", self.address], capture_output=True, text=True, env=dict(os.environ, NO_COLOR="1"))
        if done.returncode != 0:
            raise SystemExit(f"skald workflow {' '.join(words)}: {done.stdout}{done.stderr}\n{open(self.log).read()[-4000:]}")
        return done.stdout

    def start(self, kind, name, value):
        self.call("start", "--type", kind, "--id", name, "--input", json.dumps(value))

    def run(self, kind, name, value):
        return json.loads(self.call("start", "--type", kind, "--id", name, "--input", json.dumps(value), "--wait", "--timeout", "5m"))

    def result(self, name):
        return json.loads(self.call("result", name, "--timeout", "10m"))

    def query(self, name, question):
        return json.loads(self.call("query", name, "--type", question))

    def signal(self, name, word, value=None):
        self.call("signal", name, "--name", word, "--input", json.dumps(value))
