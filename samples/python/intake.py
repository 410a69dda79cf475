"""Orders from a CSV file as shops export them: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country. An
invoice is an order, a line an item. What cannot be an order is reported with its line and the reason, and never dropped in silence."""

import csv
import random
from decimal import Decimal, InvalidOperation

from saga import Order

COLUMNS = 8
NOT_GOODS = {"POST", "D", "M", "DOT", "S", "B", "C2", "CRUK", "PADS", "BANK CHARGES", "AMAZONFEE"}


def _item(row):
    """(invoice, sku, units, pence) of a row; ValueError says why it is none."""
    if len(row) != COLUMNS:
        raise ValueError(f"{len(row)} columns instead of {COLUMNS}")
    invoice, sku, _, quantity, _, price, _, _ = (field.strip() for field in row)
    if not invoice or len(invoice) > 64:
        raise ValueError("the invoice number is empty or too long")
    if invoice.upper().startswith("C"):
        raise ValueError("a cancellation: refunds of earlier orders are not part of this sample")
    if not sku or sku.upper() in NOT_GOODS:
        raise ValueError(f"{sku or 'an empty stock code'} is no goods")
    try:
        units, pence = int(quantity), int((Decimal(price) * 100).to_integral_value())
    except (ValueError, InvalidOperation, OverflowError):
        raise ValueError(f"quantity {quantity!r} or price {price!r} is no number") from None
    if not 0 < units <= 1_000_000:
        raise ValueError(f"quantity {units} cannot be sold")
    if not 0 < pence <= 100_000_000:
        raise ValueError(f"price {price} cannot be charged")
    return invoice, sku.upper(), units, pence


def read_orders(path):
    """(orders, complaints) of the file."""
    orders, complaints = {}, []
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        next(reader, None)
        for row in reader:
            try:
                invoice, sku, units, pence = _item(row)
            except ValueError as reason:
                complaints.append((reader.line_num, str(reason)))
                continue
            order = orders.setdefault(invoice, Order(invoice, {}, 0))
            order.items[sku] = order.items.get(sku, 0) + units
            order.total += units * pence
    return list(orders.values()), complaints


def sample_orders(count, seed=1):
    """Orders of an invented shop, the same for the same seed; every twelfth has a trouble of its own."""
    dice = random.Random(seed)
    skus = [f"TEA-{n:03}" for n in range(40)]
    orders = []
    for n in range(count):
        items = {sku: dice.randint(1, 6) for sku in dice.sample(skus, dice.randint(1, 4))}
        orders.append(Order(f"S{n:05}", items, sum(units * dice.randint(150, 2500) for units in items.values())))
    for n, step in enumerate(["reserve", "pay", "ship", "confirm"]):
        for order in orders[n * 12 :: 48]:
            order.fail_at = step
        for order in orders[n * 12 + 6 :: 48]:
            order.lose_answer_at = step
    return orders
