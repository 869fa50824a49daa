"""Makes file SQLite usable by OpenStack's threaded services. Must be imported before a service makes its first engine.

oslo.db's own ways fail here: a writer that begins deferred and upgrades later gets "database is locked" at once,
timeout or not (its snapshot is stale), so writers begin immediately; writers of one process queue on a lock of ours,
since SQLite's own waiting sleeps up to 100 ms; and connections are pooled, where oslo.db makes one per transaction.
"""

import contextlib
import threading

import sqlalchemy
from oslo_db.sqlalchemy import enginefacade
from sqlalchemy import event, pool
from sqlalchemy.engine import Engine

_WAIT_SECONDS = 60
_thread = threading.local()
_writers = {}
_writers_guard = threading.Lock()
_produce_block = enginefacade._TransactionContext._produce_block
_create_engine = sqlalchemy.create_engine


@event.listens_for(Engine, "connect")
def _tune(connection, record):
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_WAIT_SECONDS * 1000}")
    cursor.execute("PRAGMA synchronous=OFF")  # survives a killed process; a lost machine may lose a sandbox
    cursor.execute("PRAGMA journal_mode=WAL")  # readers don't wait for the writer
    cursor.fetchall()
    cursor.close()


@event.listens_for(Engine, "before_cursor_execute", retval=True)
def _begin(connection, cursor, statement, parameters, context, executemany):
    transactions = getattr(_thread, "transactions", None)
    if statement == "BEGIN" and transactions and transactions[-1].mode is enginefacade._WRITER:
        statement = "BEGIN IMMEDIATE"
        with _writers_guard:
            lock = _writers.setdefault(connection.engine.url.database, threading.RLock())
        if lock.acquire(timeout=_WAIT_SECONDS):
            transactions[-1]._sandbox_locks.append(lock)
    return statement, parameters


@contextlib.contextmanager
def _block_with_lock(self, mode, *args, **kwargs):
    """A transaction block that knows its mode before BEGIN and gives its locks back after its outermost end."""
    transactions = _thread.__dict__.setdefault("transactions", [])
    depth = getattr(self, "_sandbox_depth", 0)
    if depth == 0:
        self._sandbox_locks = []
    self._sandbox_depth = depth + 1
    if mode is enginefacade._WRITER and self.mode is None:
        self.mode = enginefacade._WRITER
    transactions.append(self)
    try:
        with _produce_block(self, mode, *args, **kwargs) as result:
            yield result
    finally:
        transactions.pop()
        self._sandbox_depth = depth
        if depth == 0:
            while self._sandbox_locks:
                self._sandbox_locks.pop().release()


def _pooled_engine(url, **options):
    if options.get("poolclass") is pool.NullPool:
        options.update(poolclass=pool.QueuePool, pool_size=40, max_overflow=-1, pool_pre_ping=False, pool_recycle=-1)
        options.setdefault("connect_args", {})["check_same_thread"] = False
    return _create_engine(url, **options)


def enforce_foreign_keys():
    """For services that count on the database to delete what belongs to a deleted row, and don't ask SQLite to."""

    @event.listens_for(Engine, "connect")
    def enforce(connection, record):
        connection.execute("PRAGMA foreign_keys=ON")


enginefacade._TransactionContext._produce_block = _block_with_lock
sqlalchemy.create_engine = _pooled_engine
