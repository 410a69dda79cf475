"""The day: goods arrive, orders come in, the ERP is flaky, somebody in it interferes, the server is killed; then the books are compared."""
import argparse
import collections
import random
import sys
import time

from house import Erp, Server

GOODS = ["TEA", "CUP", "POT"]
ARRIVED_FIRST, ARRIVED_LATER = 500, 40  # of each article
CANCELLED_THERE = 10  # orders that somebody in the ERP cancels while we are still at them; of a small day one in ten, and one at least
PAYMENT_TAKES_MS = 4000  # of those that may be cancelled; an attempt of a payment has five seconds


def faults(seed):
    return {"seed": seed, "*": [
        {"fault": "busy", "share": 0.08, "retry_after": 1},
        {"fault": "error", "status": 503, "share": 0.05},
        {"fault": "error", "status": 500, "share": 0.03},
        {"fault": "drop", "share": 0.03},
        {"fault": "lose_answer", "share": 0.08},
        {"fault": "cut", "share": 0.03},
        {"fault": "slow", "ms": 300, "share": 0.05},
        {"fault": "slow", "ms": 3000, "share": 0.01},
        {"fault": "rival", "share": 0.03}]}


def make_orders(count, seed):
    chance = random.Random(seed)
    orders = []
    for i in range(count):
        order = {"order_id": f"{i + 1:04}", "items": [{"sku": chance.choice(GOODS), "quantity": chance.randint(1, 2)}],
                 "total": chance.randint(5, 200) * 100, "currency": "EUR", "country": chance.choice(["DE", "NO", "SE"])}
        if i % 11 == 3:
            order["sandbox"] = {"pay": "fail"}
        elif i % 17 == 5:
            order["sandbox"] = {"ship": "fail"}
        orders.append(order)
    return orders


def take_some_back(orders):
    """Slows some orders down at their payment, so that somebody in the ERP has the time to cancel them: twice as many as he will, for the entry of one
    may take longer than that. Returns their references, and how many of them are to be cancelled."""
    wanted = min(CANCELLED_THERE, max(1, len(orders) // 10))
    untroubled = [order for order in orders if "sandbox" not in order]
    count = min(2 * wanted, len(untroubled))
    chosen = [untroubled[i * len(untroubled) // count] for i in range(count)]
    for order in chosen:
        order["sandbox"] = {"pay": {"fault": "delay", "ms": PAYMENT_TAKES_MS}}
    return {"default/" + order["order_id"] for order in chosen}, wanted


def wait_until(what, met, seconds=300):
    until = time.monotonic() + seconds
    while not met():
        if time.monotonic() > until:
            raise SystemExit(f"it took too long until {what}")
        time.sleep(0.1)


def title(text):
    print(f"\n== {text}", flush=True)


def goods_arrive(erp, server, quantity, expected):
    for sku in GOODS:
        erp.somebody(f"stock/{sku}/receive", {"quantity": quantity})
    server.signal("erp-sync", "now")
    wait_until("the goods were on our shelves", lambda: server.query("erp-sync", "status")["arrived"] == expected)


def play_day(erp, server, orders, regretted, wanted):
    """Cancels what is to be cancelled there, and kills the server half way; returns which were cancelled, and how often it was killed."""
    server.start("flaky_day", "day", {"orders": orders})
    cancelled, killed, more_arrived = set(), 0, False
    while True:
        known = erp.books()["orders"]
        for order in known:
            if len(cancelled) < wanted and order["reference"] in regretted - cancelled and order["state"] == "open":
                change = {"state": "cancelled", "note": "the customer rang us"}
                if erp.somebody(f"orders/{order['id']}", change, version=order["version"]):
                    cancelled.add(order["reference"])
        ended = sum(order["state"] != "open" for order in known)
        if not more_arrived and ended > len(orders) // 4:
            more_arrived = True
            for sku in GOODS:
                erp.somebody(f"stock/{sku}/receive", {"quantity": ARRIVED_LATER})
        if not killed and ended > len(orders) // 2:
            killed = 1
            took = server.kill_and_start_again()
            print(f"  half way: the server was killed (kill -9); serving again after {took * 1000:.0f} ms", flush=True)
        if ended == len(orders):
            return cancelled, killed
        time.sleep(0.05)


def settle_conflicts(server):
    """A person decides what both sides changed: every second time for us. Returns who was right, by order."""
    decided = {}
    found = server.run("erp_desk", "conflicts", {"ask": "conflicts"})["conflicts"]
    for number, conflict in enumerate(found):
        choice = "ours" if number % 2 == 0 else "erp"
        server.run("erp_desk", f"resolve-{number}", {"ask": "resolve_conflict", "conflict": conflict["conflict"], "choose": choice, "by": "ida"})
        decided[conflict["name"]] = choice
    return decided


def compare(results, erp_orders, decided, cancelled):
    """What does not agree, one line each."""
    wrong = []
    by_reference = collections.defaultdict(list)
    for order in erp_orders:
        by_reference[order["reference"]].append(order)
    for result in results:
        reference = "default/" + result["order_id"]
        there = by_reference.pop(reference, [])
        expected = "cancelled" if decided.get(reference) == "erp" else result["outcome"]
        if len(there) != 1:
            wrong.append(f"{reference} is in the ERP {len(there)} times")
        elif there[0]["state"] != expected:
            wrong.append(f"{reference} is {there[0]['state']} in the ERP, and {expected} here")
        if result["erp"] != "written":
            wrong.append(f"{reference} could not be written: {result['erp']}")
    wrong += [f"{reference} is in the ERP, and nobody here knows of it" for reference in by_reference]
    if set(decided) != cancelled:
        wrong.append(f"conflicts were found about {sorted(decided)}, but somebody there cancelled {sorted(cancelled)}")
    return wrong


def print_table(rows):
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"  {name:<{width}}  {value}")


def report(results, books, decided, sync, killed, audit, ledgers):
    outcomes = collections.Counter(result["outcome"] for result in results)
    faults = books["faults"]
    title("What happened")
    print_table([(f"orders {name}", count) for name, count in sorted(outcomes.items())] + [
        ("ERP calls made", sum(books["calls"].values())),
        ("  answered 429 or 5xx", sum(count for status, count in books["answers"].items() if status == "429" or status >= "500")),
        ("  connections lost before anything happened", faults.get("drop", 0)),
        ("  answers lost, or cut in the middle", faults.get("lose_answer", 0) + faults.get("cut", 0)),
        ("  slow answers", faults.get("slow", 0)),
        ("  records changed by somebody under our hands", books["answers"].get("409", 0)),
        ("retries of writes", books["repeated"]),
        ("lost answers found again by the same key", books["replayed"]),
        ("lost answers found again by asking first", books["found_by_reference"]),
        ("conflicts about an order's end", f"{len(decided)}: {sum(c == 'ours' for c in decided.values())} decided for us, {sum(c == 'erp' for c in decided.values())} for the ERP"),
        ("goods arrived by the ERP's stock feed", sync["arrived"]),
        ("server killed", killed),
        ("our books and the ERP's", "agree" if audit["balanced"] else f"do not agree: {audit}"),
        ("stock, money and shipments", "balanced" if all(book["balanced"] for book in ledgers.values()) else f"not balanced: {ledgers}")])


def main():
    arguments = argparse.ArgumentParser()
    for name, kind in (("orders", int), ("seed", int), ("skald", str), ("erp", str), ("scratch", str)):
        arguments.add_argument(f"--{name}", type=kind, required=True)
    options = arguments.parse_args()
    erp = Erp(options.erp, options.scratch, {})
    erp.somebody("items", [{"sku": sku, "name": sku.capitalize(), "price": 500} for sku in GOODS])
    erp.somebody("faults", faults(options.seed), "PUT")
    server = Server(options.skald, options.scratch, erp)
    try:
        passed = play(options, erp, server)
    finally:
        server.end()
        erp.end()
    sys.exit(0 if passed else 1)


def play(options, erp, server):
    title("Goods arrive in the ERP, and its stock feed brings them to us")
    server.start("erp_sync", "erp-sync", {"every": "2s", "page": 2})
    goods_arrive(erp, server, ARRIVED_FIRST, len(GOODS) * ARRIVED_FIRST)
    print(f"  {len(GOODS) * ARRIVED_FIRST} pieces of {', '.join(GOODS)} are on our shelves")

    title(f"{options.orders} orders, and an ERP that is busy, fails, is slow and loses answers")
    orders = make_orders(options.orders, options.seed)
    regretted, wanted = take_some_back(orders)
    cancelled, killed = play_day(erp, server, orders, regretted, wanted)
    results = server.result("day")
    print(f"  all have ended; somebody in the ERP cancelled {len(cancelled)} of them in the middle")

    title("A person decides what both sides changed")
    decided = settle_conflicts(server)
    for reference, choice in sorted(decided.items()):
        print(f"  {reference}: {'ours' if choice == 'ours' else 'the ERP'}")
    server.signal("erp-sync", "changed", {"kind": "stock", "sku": "TEA", "quantity": 123})
    everything = len(GOODS) * (ARRIVED_FIRST + ARRIVED_LATER)
    wait_until("the sync had caught up", lambda: server.query("erp-sync", "status")["arrived"] == everything and server.query("erp-sync", "status")["pushed"] == 1)
    sync = server.query("erp-sync", "status")

    audit = server.run("erp_desk", "audit", {"ask": "audit"})
    ledgers = server.run("ledger_audit", "ledgers", {})
    books = erp.books()
    report(results, books, decided, sync, killed, audit, ledgers)
    wrong = compare(results, books["orders"], decided, cancelled)
    if next(s["quantity"] for s in books["stock"] if s["sku"] == "TEA") != 123:
        wrong.append("the ERP did not hear of our stock of TEA")
    if ledgers["stock"]["loaded"] != everything:
        wrong.append(f"{everything} pieces arrived in the ERP, and {ledgers['stock']['loaded']} here")
    for line in wrong:
        print(f"  WRONG: {line}")
    return not wrong and audit["balanced"] and all(book["balanced"] for book in ledgers.values()) and killed == 1


if __name__ == "__main__":
    main()
