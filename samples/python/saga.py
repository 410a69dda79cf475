"""The order saga: reserve, pay, ship, confirm; what was done is undone in reverse when a step is refused or the customer cancels."""

from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from ledger import Refused

QUEUE = "orders"


@dataclass
class Order:
    order_id: str
    items: dict  # sku -> units
    total: int  # pence
    fail_at: str = ""  # the step that refuses, for trying out what happens then
    lose_answer_at: str = ""  # the step whose effect happens and whose first answer is lost


@dataclass
class Outcome:
    order_id: str
    outcome: str
    compensations: list = field(default_factory=list)
    reason: str = ""


class Steps:
    """The activities. Each is one effect in the ledger, under the order's key."""

    def __init__(self, ledger):
        self.ledger = ledger

    def _do(self, order, step, effect, undo):
        if order.fail_at == step:
            raise ApplicationError(f"{step} refused", type="Refused", non_retryable=True)
        try:
            self.ledger.once(f"{order.order_id}/{step}", step, effect, unless=f"{order.order_id}/{undo}")
        except Refused as refused:
            raise ApplicationError(str(refused), type="Refused", non_retryable=True) from refused
        if order.lose_answer_at == step and activity.info().attempt == 1:
            raise ApplicationError("the answer was lost on its way")

    def _undo(self, order, step, undone, effect):
        # A compensation of what never happened leaves its key behind, and nothing else.
        happened = self.ledger.happened(f"{order.order_id}/{undone}")
        self.ledger.once(f"{order.order_id}/{step}", step, effect if happened else lambda db: None)

    @activity.defn
    def reserve(self, order: Order) -> None:
        def effect(db):
            for sku, units in sorted(order.items.items()):
                changed = db.execute("UPDATE stock SET on_hand = on_hand - ?, reserved = reserved + ? WHERE sku = ? AND on_hand >= ?", (units, units, sku, units))
                if changed.rowcount != 1:
                    raise Refused(f"out of stock: {sku}")

        self._do(order, "reserve", effect, "release")

    @activity.defn
    def release(self, order: Order) -> None:
        rows = [(units, units, sku) for sku, units in sorted(order.items.items())]
        self._undo(order, "release", "reserve", lambda db: db.executemany("UPDATE stock SET on_hand = on_hand + ?, reserved = reserved - ? WHERE sku = ?", rows))

    @activity.defn
    def pay(self, order: Order) -> None:
        self._do(order, "pay", lambda db: db.execute("INSERT INTO payments (order_id, authorized) VALUES (?, ?)", (order.order_id, order.total)), "void")

    @activity.defn
    def void(self, order: Order) -> None:
        self._undo(order, "void", "pay", lambda db: db.execute("UPDATE payments SET voided = authorized WHERE order_id = ?", (order.order_id,)))

    @activity.defn
    def ship(self, order: Order) -> None:
        self._do(order, "ship", lambda db: db.execute("INSERT INTO waybills (order_id) VALUES (?)", (order.order_id,)), "cancel_waybill")

    @activity.defn
    def cancel_waybill(self, order: Order) -> None:
        self._undo(order, "cancel_waybill", "ship", lambda db: db.execute("UPDATE waybills SET cancelled = 1 WHERE order_id = ?", (order.order_id,)))

    @activity.defn
    def confirm(self, order: Order) -> None:
        def effect(db):
            rows = [(units, units, sku) for sku, units in sorted(order.items.items())]
            db.executemany("UPDATE stock SET reserved = reserved - ?, shipped = shipped + ? WHERE sku = ?", rows)
            db.execute("UPDATE payments SET captured = authorized WHERE order_id = ?", (order.order_id,))

        self._do(order, "confirm", effect, "never")

    def all(self):
        return [self.reserve, self.release, self.pay, self.void, self.ship, self.cancel_waybill, self.confirm]


@workflow.defn
class OrderFulfilment:
    def __init__(self):
        self.step = "created"
        self.cancelled = False

    @workflow.run
    async def run(self, order: Order) -> Outcome:
        async def do(step):
            await workflow.execute_activity(
                step, order, start_to_close_timeout=timedelta(seconds=30), retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100))
            )

        done = []
        try:
            for step, undo in [("reserve", "release"), ("pay", "void"), ("ship", "cancel_waybill")]:
                if self.cancelled:
                    raise ApplicationError("cancelled by the customer", type="Cancelled")
                self.step = step
                done.append(undo)  # Even a step that seems to have failed may have happened.
                await do(step)
            self.step = "confirm"
            await do("confirm")
        except (ActivityError, ApplicationError) as failure:
            for undo in reversed(done):
                self.step = undo
                await do(undo)
            self.step = "ended"
            cause = failure.cause if isinstance(failure, ActivityError) else failure
            outcome = f"refused at {failure.activity_type}" if isinstance(failure, ActivityError) else "cancelled"
            return Outcome(order.order_id, outcome, done[::-1], str(cause))
        self.step = "ended"
        return Outcome(order.order_id, "confirmed")

    @workflow.signal
    def cancel(self):
        self.cancelled = True

    @workflow.query
    def status(self) -> str:
        return self.step
