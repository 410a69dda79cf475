"""The merchant's books: stock and money in one SQLite file. Every effect has a key and happens once, however often it is asked for."""

import sqlite3
import threading


class Refused(Exception):
    """A business answer, not a fault: trying again will not help."""


class Ledger:
    def __init__(self, path):
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript(
            """
            PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
            CREATE TABLE IF NOT EXISTS effects (key TEXT PRIMARY KEY, kind TEXT NOT NULL);
            CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, initial INTEGER NOT NULL, on_hand INTEGER NOT NULL CHECK (on_hand >= 0),
                                              reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0), shipped INTEGER NOT NULL DEFAULT 0);
            CREATE TABLE IF NOT EXISTS payments (order_id TEXT PRIMARY KEY, authorized INTEGER NOT NULL, captured INTEGER NOT NULL DEFAULT 0,
                                                 voided INTEGER NOT NULL DEFAULT 0);
            CREATE TABLE IF NOT EXISTS waybills (order_id TEXT PRIMARY KEY, cancelled INTEGER NOT NULL DEFAULT 0);
            """
        )

    def once(self, key, kind, effect, unless=None):
        """Runs `effect(db)` in one transaction with its key. A key that is known does nothing; nor does one whose compensation
        (`unless`) came first: that is refused, so that nothing is done after it was undone."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                if not self._db.execute("SELECT 1 FROM effects WHERE key = ?", (key,)).fetchone():
                    if unless and self._db.execute("SELECT 1 FROM effects WHERE key = ?", (unless,)).fetchone():
                        raise Refused("it was compensated before it happened")
                    effect(self._db)
                    self._db.execute("INSERT INTO effects VALUES (?, ?)", (key, kind))
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def happened(self, key):
        with self._lock:
            return self._db.execute("SELECT 1 FROM effects WHERE key = ?", (key,)).fetchone() is not None

    def load_stock(self, quantities):
        with self._lock:
            self._db.executemany("INSERT OR IGNORE INTO stock (sku, initial, on_hand) VALUES (?, ?, ?)", [(s, q, q) for s, q in quantities.items()])

    def audit(self):
        """The balances, and whether they are right: nothing sold that was not there, nothing captured that was not authorised, nothing left open."""
        with self._lock:
            row = self._db.execute("SELECT sum(initial), sum(on_hand), sum(reserved), sum(shipped) FROM stock").fetchone()
            stock = dict(zip(("initial", "on_hand", "reserved", "shipped"), (value or 0 for value in row)))
            row = self._db.execute("SELECT sum(authorized), sum(captured), sum(voided) FROM payments").fetchone()
            money = dict(zip(("authorized", "captured", "voided"), (value or 0 for value in row)))
            bad_sku = self._db.execute("SELECT count(*) FROM stock WHERE initial <> on_hand + reserved + shipped").fetchone()[0]
            bad_payment = self._db.execute("SELECT count(*) FROM payments WHERE captured + voided > authorized").fetchone()[0]
        stock["balanced"] = bad_sku == 0 and stock["reserved"] == 0
        money["balanced"] = bad_payment == 0 and money["authorized"] == money["captured"] + money["voided"]
        return {"stock": stock, "money": money}
