"""The machines, and the way of their reports to the server: a gateway that loses, doubles and mixes them up."""

import random

# What is usual for a machine: mean and spread.
USUAL = {"vibration_mm_s": (2.0, 0.15), "temperature_c": (60.0, 1.2), "torque_nm": (100.0, 3.0)}


class Machine:
    def __init__(self, device, kind, site, part, skill, seed, fault=None, patience="1h", escalation="1h"):
        self.device, self.kind, self.site, self.part, self.skill = device, kind, site, part, skill
        self.patience, self.escalation = patience, escalation  # with a technician, and with those who are asked after that
        self.fault = fault  # what goes wrong, from the next report on; None: nothing
        self.broken_since = 0
        self.random = random.Random(f"{seed}/{device}")
        self.reports = {}  # by sequence number: all that it ever said

    @property
    def watch(self):
        return "watch-" + self.device

    def _readings(self, sequence):
        readings = {name: round(self.random.gauss(mean, spread), 3) for name, (mean, spread) in USUAL.items()}
        age = sequence - self.broken_since
        if self.broken_since and self.fault == "drift":
            readings["vibration_mm_s"] = round(readings["vibration_mm_s"] + 0.05 * age, 3)
        if self.broken_since and self.fault == "spike":
            readings["temperature_c"] = round(readings["temperature_c"] + 45, 3)
        if self.broken_since and self.fault == "slip":
            readings["torque_nm"] = round(readings["torque_nm"] * 0.5, 3)
        return readings

    def say(self, count):
        """The next reports, in the order in which the machine makes them."""
        made = []
        for _ in range(count):
            sequence = len(self.reports) + 1
            minute, second = divmod(sequence, 60)
            made.append({"sequence": sequence, "at": f"2026-07-01T08:{minute:02}:{second:02}Z", "readings": self._readings(sequence)})
            self.reports[sequence] = made[-1]
        return made

    def breaks(self):
        if self.fault:
            self.broken_since = len(self.reports)

    def mended(self):
        self.broken_since = 0


class Gateway:
    """Between the machines and the server."""

    def __init__(self, send, seed, lost=0.05, doubled=0.1, batch=10):
        self.send, self.lost, self.doubled, self.batch = send, lost, doubled, batch
        self.random = random.Random(f"{seed}/gateway")
        self.count = {"lost on the way": 0, "sent twice": 0, "sent again because they were missing": 0}

    def pass_on(self, machine, reports):
        way = []
        for report in reports:
            if self.random.random() < self.lost:
                self.count["lost on the way"] += 1
                continue
            way.append(report)
            if self.random.random() < self.doubled:
                self.count["sent twice"] += 1
                way.append(report)
        # A report overtakes those that left a little earlier.
        way.sort(key=lambda report: report["sequence"] + self.random.uniform(0, 5))
        for first in range(0, len(way), self.batch):
            self.send(machine, way[first : first + self.batch])

    def send_missing(self, machine, status):
        """Sends again what the watch misses. Returns whether there was anything."""
        wanted = [sequence for first, last in status["missing"] for sequence in range(first, last + 1)]
        if not wanted and not status["held"]:  # what is lost at the end leaves no gap
            wanted = list(range(status["next"], len(machine.reports) + 1))
        if wanted:
            self.count["sent again because they were missing"] += len(wanted)
            self.send(machine, [machine.reports[sequence] for sequence in wanted])
        return bool(wanted)
