"""Plays the gear maker's day against a server and an ERP of its own. run.sh calls it."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time

from machines import Gateway, Machine

BASELINE = 48  # reports after which a device's plugin knows what is usual
API_KEY = "secret-of-the-sample"
STORY = {}  # what was told, by machine


class Trouble(Exception):
    pass


def title(text):
    print(f"\n== {text}", flush=True)


def tell(text):
    print("  " + text, flush=True)


class Process:
    def __init__(self, command, log, marker="serving on "):
        self.log = log
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(log, "a"), text=True)
        for line in self.process.stdout:
            if marker in line:
                self.address = line.split(marker)[1].split()[0]
                return
        raise Trouble(f"{command[0]} does not start:\n{open(log).read()}")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Shop:
    """The server, the ERP, and what a person would type."""

    def __init__(self, options):
        self.options = options
        # The ERP is busy now and then, and some of its answers get lost.
        faults = {"seed": options.seed, "*": [{"fault": "busy", "share": 0.1}, {"fault": "lose_answer", "share": 0.1}]}
        self.erp = Process([options.erp, "--api-key", API_KEY, "--faults", json.dumps(faults)], options.scratch + "/erp.log")
        with open(options.scratch + "/plugins/erp.key", "w") as file:
            file.write(API_KEY + "\n")
        with open(options.scratch + "/plugins/erp.json", "w") as file:
            json.dump({"url": self.erp.address, "api_key": "file:erp.key"}, file)
        with open(options.scratch + "/plugins/devices.json", "w") as file:
            json.dump({"baseline": BASELINE}, file)
        self.start("127.0.0.1:0")

    def start(self, address):
        self.server = Process([self.options.skald, "server", "--store", f"sqlite:{self.options.scratch}/skald.sqlite", "--grpc", address,
                               "--workflows", self.options.workflows, "--plugins", self.options.scratch + "/plugins"], self.options.scratch + "/server.log")

    def kill_server(self):
        address = self.server.address
        self.server.kill()
        began = time.monotonic()
        self.start(address)
        return time.monotonic() - began

    def end(self):
        for process in (getattr(self, "server", None), getattr(self, "erp", None)):
            if process:
                process.end()

    def skald(self, *arguments, text=None, check=True):
        done = subprocess.run([self.options.skald, *arguments, "--address", self.server.address], input=text, capture_output=True, text=True, timeout=120)
        if check and done.returncode != 0:
            raise Trouble(f"skald {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def run(self, kind, workflow, value):
        return json.loads(self.skald("workflow", "start", "--type", kind, "--id", workflow, "--wait", "--input", json.dumps(value)).stdout)

    def signal(self, workflow, name, value=None):
        # What is not acknowledged is sent again: it may come twice.
        for _ in range(50):
            done = self.skald("workflow", "signal", workflow, "--name", name, "--input-file", "-", text=json.dumps(value), check=False)
            if done.returncode == 0:
                return
            time.sleep(0.1)
        raise Trouble(f"the signal {name} does not reach {workflow}: {done.stderr.strip()}")

    def status(self, workflow):
        done = self.skald("workflow", "query", workflow, "--type", "status", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def wait(self, what, workflow, condition, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status = self.status(workflow)
            if status and condition(status):
                return status
            time.sleep(0.05)
        raise Trouble(f"{workflow}: {what} does not happen; its state is {json.dumps(self.status(workflow))}")

    def result(self, workflow):
        return json.loads(self.skald("workflow", "result", workflow).stdout)


class Day:
    def __init__(self, shop, seed):
        self.shop = shop
        hall = dict(site="Hall 2", seed=seed)
        self.press = Machine("press-1", "gear press", part="die", skill="mechanics", **hall)
        self.hob = Machine("hob-2", "gear hobbing machine", part="bearing", skill="mechanics", fault="drift", **hall)
        self.oven = Machine("oven-3", "hardening oven", part="thermocouple", skill="electrics", fault="spike", patience="1s", **hall)
        self.lathe = Machine("lathe-4", "lathe", part="spindle", skill="mechanics", fault="slip", **hall)
        self.grinder = Machine("grinder-5", "gear grinder", part="wheel", skill="hydraulics", fault="spike", patience="1s", escalation="1s", **hall)
        self.machines = [self.press, self.hob, self.oven, self.lathe, self.grinder]
        self.gateway = Gateway(lambda machine, reports: shop.signal(machine.watch, "readings", reports), seed)

    def begin(self):
        self.shop.run("stock_load", "stock", {"items": [{"sku": part, "quantity": 4} for part in ("die", "bearing", "thermocouple", "wheel")]})
        for machine in self.machines:
            self.shop.skald("workflow", "start", "--type", "device_watch", "--id", machine.watch, "--input", json.dumps({
                "device": machine.device, "kind": machine.kind, "site": machine.site, "reports_per_run": 60,
                "maintenance": {"parts": [{"sku": machine.part, "quantity": 2}], "skill": machine.skill, "patience": machine.patience,
                                "escalation_patience": machine.escalation}}))

    def report(self, machines, count):
        made = {machine: machine.say(count) for machine in machines}
        for machine in machines:
            self.gateway.pass_on(machine, made[machine])

    def complete(self, machines):
        """Until the watches have heard everything; they name what they miss."""
        for machine in machines:
            for _ in range(20):
                status = self.settled(machine)
                if not self.gateway.send_missing(machine, status):
                    break
            else:
                raise Trouble(f"{machine.watch} still misses something: {json.dumps(status)}")

    def settled(self, machine):
        """A watch's status when it has worked off what it was sent."""
        before = None
        while True:
            status = self.shop.wait("an answer", machine.watch, lambda status: True)
            now = (status["taken"], status["next"], status["held"])
            if now == before:
                return status
            before = now
            time.sleep(0.1)

    def until_alarm(self, machine):
        for _ in range(30):
            self.report([machine], 5)
            self.complete([machine])
            alarm = self.shop.status(machine.watch).get("alarm")
            if alarm:
                tell(f"{machine.device}: score {alarm['score']:.2f} at report {alarm['sequence']}: {alarm['explanation']}")
                return alarm
        raise Trouble(f"{machine.device} is broken, and nobody notices")

    def until_waiting(self, machine, alarm, state="waiting"):
        job = self.shop.wait("a technician", alarm["reference"], lambda status: status["state"] == state)
        tell(f"{machine.device}: work order {job['work_order']}, 2 × {machine.part} reserved, technician {job['technician']}, {job['state']}")
        return job

    def mend(self, machine, alarm, by, notes):
        machine.mended()
        self.shop.signal(alarm["reference"], "done", {"by": by, "notes": notes})
        result = self.shop.result(alarm["reference"])
        if result["outcome"] != "done" or result["confirmed_by"] != by:
            raise Trouble(f"{alarm['reference']} did not end as done: {json.dumps(result)}")
        tell(f"{machine.device}: {by} says \"{notes}\"; {result['work_order']} is completed, the parts are used")
        self.shop.wait("its maintenance's end", machine.watch, lambda status: not status.get("alarm"))

    def until_failed(self, machine, alarm):
        result = self.shop.result(alarm["reference"])
        if result["outcome"] != "failed":
            raise Trouble(f"{alarm['reference']} should have failed: {json.dumps(result)}")
        tell(f"{machine.device}: {result['reason']}; undone: {', '.join(result['compensations'])}")
        self.shop.wait("the news", machine.watch, lambda status: status["state"] == "unmended")

    def play(self):
        title("1. Five machines report, and what is usual is learnt")
        self.begin()
        self.report(self.machines, BASELINE + 12)
        self.complete(self.machines)
        for machine in self.machines:
            status = self.shop.wait("learning", machine.watch, lambda status: status["state"] == "watching")
            tell(f"{machine.device}: {status['next'] - 1} reports in order, {status['duplicates']} duplicates, score {status['score']:.2f}")

        title("2. hob-2 drifts; the server is killed with the work order under way")
        self.hob.breaks()
        alarm = self.until_alarm(self.hob)
        self.report([self.press], 20)
        seconds = self.shop.kill_server()
        tell(f"kill -9; serving again after {seconds:.2f}s")
        self.report([self.hob], 20)
        self.until_waiting(self.hob, alarm)
        self.complete([self.press, self.hob])
        if self.shop.wait("its state", self.hob.watch, lambda status: True)["maintenances"] != 1:
            raise Trouble("one anomaly, two maintenances")
        tell("hob-2: 20 more unusual reports, still one maintenance")
        self.mend(self.hob, alarm, "Ada", "new bearings, shaft aligned")

        title("3. oven-3 is too hot, and nobody comes within 1s: it is escalated")
        self.oven.breaks()
        alarm = self.until_alarm(self.oven)
        self.until_waiting(self.oven, alarm, "escalated")
        self.shop.wait("the escalation", self.oven.watch, lambda status: status["state"] == "escalated")
        self.mend(self.oven, alarm, "the foreman", "thermocouple replaced")

        title("4. lathe-4 slips, and there is no spindle")
        self.lathe.breaks()
        self.until_failed(self.lathe, self.until_alarm(self.lathe))
        self.shop.run("stock_load", "more-stock", {"items": [{"sku": "spindle", "quantity": 2}]})
        self.shop.signal(self.lathe.watch, "rearm")
        tell("2 spindles arrive, and a person asks for another maintenance")
        self.shop.wait("the request", self.lathe.watch, lambda status: status["state"] == "watching")
        alarm = self.until_alarm(self.lathe)
        self.until_waiting(self.lathe, alarm)
        self.mend(self.lathe, alarm, "Konrad", "new spindle")

        title("5. grinder-5 is too hot, and nobody comes, not after the escalation either")
        self.grinder.breaks()
        self.until_failed(self.grinder, self.until_alarm(self.grinder))

        title("6. What was mended is watched again")
        mended = [self.hob, self.oven, self.lathe]
        self.report(mended, BASELINE + 12)
        self.complete(self.machines)
        expected = {self.press: 0, self.hob: 1, self.oven: 1, self.lathe: 2, self.grinder: 1}
        for machine in self.machines:
            status = self.shop.wait("its state", machine.watch, lambda status: status["state"] == ("unmended" if machine is self.grinder else "watching"))
            tell(f"{machine.device}: {status['state']}, score {status['score']:.2f}, {status['maintenances']} maintenance(s)")
            if status["maintenances"] != expected[machine] or status["next"] != len(machine.reports) + 1 or status["refused"]:
                raise Trouble(f"{machine.device} should have {expected[machine]} maintenances and {len(machine.reports)} reports: {json.dumps(status)}")
            self.shop.signal(machine.watch, "stop")
            self.shop.result(machine.watch)

    def audit(self):
        title("The books")
        books = self.shop.run("machine_audit", "audit", {})
        reports, parts, work = books["reports"], books["parts"], books["work_orders"]
        made = sum(len(machine.reports) for machine in self.machines)
        tell(f"the way: {', '.join(f'{count} reports {what}' for what, count in self.gateway.count.items())}")
        tell(f"reports: {made} made, {reports['applied']} kept in order, {reports['duplicates']} duplicates recognised, {reports['lost']} lost")
        tell(f"parts: {parts['loaded']} loaded = {parts['on_hand']} on hand + {parts['reserved']} reserved + {parts['shipped']} used")
        tell(f"work orders: {work['work_orders']['ours']} ours, of which the ERP says the same of {work['work_orders']['agreed']}")
        wrong = []
        for name, book in books.items():
            if book["balanced"] is not True:
                wrong.append(f"{name} do not balance: {json.dumps(book)}")
        if (reports["applied"], reports["held"], reports["lost"]) != (made, 0, 0):
            wrong.append("reports are missing")
        if (parts["reserved"], parts["shipped"]) != (0, 6):
            wrong.append("three machines were mended with 2 parts each, and nothing must be reserved any more")
        return wrong


def main():
    parser = argparse.ArgumentParser()
    for name in ("skald", "erp", "workflows", "scratch"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--seed", type=int, default=17)
    options = parser.parse_args()
    shop, began = None, time.monotonic()
    try:
        shop = Shop(options)
        day = Day(shop, options.seed)
        day.play()
        wrong = day.audit()
    except Trouble as trouble:
        wrong = [str(trouble)]
    finally:
        if shop:
            shop.end()
    for sentence in wrong:
        print("This should not be: " + sentence, file=sys.stderr)
    if wrong and os.path.exists(options.scratch + "/server.log"):
        sys.stderr.write("".join(re.sub("^", "  server: ", line) for line in open(options.scratch + "/server.log").readlines()[-30:]))
    if not wrong:
        print(f"\nEvery report was kept, every anomaly ended as it should, and the books balance ({time.monotonic() - began:.0f}s).")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
