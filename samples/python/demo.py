"""Runs orders through the saga against a server, whatever happens to that server meanwhile, and shows how they ended.

Usage: demo.py ADDRESS LEDGER [--orders CSV] [--count N] [--half-way FILE]
Exit code 0 only if every order ended and the ledgers balance."""

import argparse
import asyncio
import logging
import pathlib
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from temporalio.client import Client
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError
from temporalio.worker import Worker

from intake import read_orders, sample_orders
from ledger import Ledger
from saga import QUEUE, OrderFulfilment, Steps

IN_FLIGHT = 50


async def patiently(call):
    """Repeats a call until the server answers: it may be down for a moment."""
    while True:
        try:
            return await call()
        except RPCError as error:
            if error.status.name not in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN"):
                raise
            await asyncio.sleep(0.1)


async def run(options):
    orders, complaints = read_orders(options.orders) if options.orders else (sample_orders(options.count), [])
    for line, reason in complaints:
        print(f"{options.orders}:{line}: {reason}")
    if not orders:
        sys.exit("no orders to run")
    ledger = Ledger(options.ledger)
    wanted = Counter()
    for order in orders:
        wanted.update(order.items)
    ledger.load_stock({sku: units + 10 for sku, units in wanted.items()})

    # What the worker says while the server is away is no news here.
    quiet = TelemetryConfig(logging=LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR")))
    client = await Client.connect(options.address, runtime=Runtime(telemetry=quiet))
    outcomes, latencies, begun = [], [], time.monotonic()
    places = asyncio.Semaphore(IN_FLIGHT)

    async def run_order(number, order):
        async with places:
            started = time.monotonic()
            handle = await patiently(
                lambda: client.start_workflow(OrderFulfilment.run, order, id=f"order-{order.order_id}", task_queue=QUEUE, request_eager_start=False)
            )
            if number % 25 == 24:  # some customers change their mind
                try:
                    await patiently(lambda: handle.signal(OrderFulfilment.cancel))
                except RPCError:
                    pass  # too late: the order has ended
            outcomes.append(await patiently(handle.result))
            latencies.append(time.monotonic() - started)
            if len(outcomes) == len(orders) // 2 and options.half_way:
                pathlib.Path(options.half_way).touch()
            if len(outcomes) % max(1, len(orders) // 10) == 0:
                print(f"  {len(outcomes):>5} of {len(orders)} orders ended", flush=True)

    with ThreadPoolExecutor(8) as threads:
        async with Worker(client, task_queue=QUEUE, workflows=[OrderFulfilment], activities=Steps(ledger).all(), activity_executor=threads):
            await asyncio.gather(*[run_order(number, order) for number, order in enumerate(orders)])
    return report(options, orders, outcomes, latencies, time.monotonic() - begun, ledger.audit(), len(complaints))


def report(options, orders, outcomes, latencies, seconds, audit, complaints):
    def line(name, value):
        print(f"  {name:<28}{value:>16}")

    def pounds(pence):
        return f"£{pence / 100:,.2f}"

    stock, money = audit["stock"], audit["money"]
    print("\norders by outcome")
    for outcome, count in sorted(Counter(outcome.outcome for outcome in outcomes).items()):
        line(outcome, count)
    line("compensations done", sum(len(outcome.compensations) for outcome in outcomes))
    if options.orders:
        line("lines that are no orders", complaints)
    print("stock, units")
    for name in ("initial", "on_hand", "reserved", "shipped"):
        line(name, stock[name])
    line("balanced", "yes" if stock["balanced"] else "NO")
    print("money")
    for name in ("authorized", "captured", "voided"):
        line(name, pounds(money[name]))
    line("balanced", "yes" if money["balanced"] else "NO")
    cuts = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else latencies * 100
    print("speed (Python worker and server on this machine, the server's absence included)")
    line("orders/s", f"{len(outcomes) / seconds:.1f}")
    line("latency P50 / P99, s", f"{cuts[49]:.2f} / {cuts[98]:.2f}")
    shown = next((o for o in outcomes if o.compensations), outcomes[0])
    print(f"\nlook at an order:  temporal workflow show --address {options.address} --workflow-id order-{shown.order_id}")
    return len(outcomes) == len(orders) and stock["balanced"] and money["balanced"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("ledger")
    parser.add_argument("--orders", help="a CSV file of orders; without it, orders of an invented shop")
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--half-way", help="touched when half of the orders have ended")
    logging.getLogger("temporalio").setLevel(logging.ERROR)  # refusals are part of the show
    sys.exit(0 if asyncio.run(run(parser.parse_args())) else 1)
