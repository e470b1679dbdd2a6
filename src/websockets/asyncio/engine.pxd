cimport cython
from ..protocol cimport Protocol
from ..session.session cimport Session
from ..session.inbox cimport Inbox
from .loops cimport Deadline, LoopState
from .waiters cimport Waiter

# The module's names for these, out of reach of Python.
cdef long long _COLLECT, _LARGE
cdef object CONNECTING, OPEN, CLOSING, CLOSED, current_task

cdef class Engine:
    cdef object __weakref__
    cdef public object loop, transport, request, response
    cdef public Protocol protocol
    cdef public Session _session
    cdef public Inbox _inbox
    cdef public object _settings, _handshake_waiter
    cdef public LoopState _shared
    cdef public Deadline _deadline
    cdef public Waiter _recv_waiter
    cdef public bytearray _buffer
    cdef public object _view
    cdef public bint opening, _handshake_timed_out, _copies, _in_place, _reading_paused, _reading_on, _reading_suspended, _resting, _corked, _dirty, _gathers, _writing_paused, _writing_finished, _closing, _lost
    cdef public int _budget
    cdef public double _turn_began
    cdef public long long _handed_over, _reading_pauses, _writing_pauses
    cdef public object _drain_waiters, _message_waiters, _lost_exc, _closed_waiters
    cpdef buffer_updated(self, Py_ssize_t nbytes)
    @cython.locals(session=Session, protocol=Protocol, waiter=Waiter)
    cdef _pump(self)
    cdef _wake(self, Waiter waiter)
    cdef _written(self)
    cdef _take_turns(self, Py_ssize_t nbytes)
    @cython.locals(protocol=Protocol, writes=list, data=bytes)
    cdef _flush(self)
