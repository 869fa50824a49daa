"""Wakes listeners of oslo.messaging's in-process transport, which would look for work every 50 ms (1% of a core idle
per listener, and 50 ms for every call between Nova's parts)."""

import threading
import time

from oslo_messaging._drivers import base, impl_fake

_LOOK_SECONDS = 0.5  # how long a stopped listener may sleep on
_delivered = threading.Condition()
_deliver_message = impl_fake.FakeExchange.deliver_message


def _deliver_and_wake(self, *args, **kwargs):
    _deliver_message(self, *args, **kwargs)
    with _delivered:
        _delivered.notify_all()


def _next_message(listener):
    for target in listener._targets:
        exchange = listener._exchange_manager.get_exchange(target.exchange)
        context, message, reply_queue, requeue = exchange.poll(target, listener._pool)
        if message is not None:
            return impl_fake.FakeIncomingMessage(context, message, reply_queue, requeue)
    return None


@base.batch_poll_helper
def _poll(self, timeout=None):
    deadline = None if timeout is None else time.monotonic() + timeout
    while not self._stopped.is_set():
        with _delivered:
            message = _next_message(self)
            if message is not None:
                return message
            left = _LOOK_SECONDS if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return None
            _delivered.wait(min(left, _LOOK_SECONDS))
    return None


impl_fake.FakeExchange.deliver_message = _deliver_and_wake
impl_fake.FakeListener.poll = _poll
