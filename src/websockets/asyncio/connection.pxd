cimport cython
from ..protocol cimport Protocol
from .engine cimport Engine
from .waiters cimport Waiter

cdef object CONNECTING, OPEN, CLOSING, CLOSED
cdef int _EFFORT, _OPERATIONS
cdef double _TURN, _TURNS

cdef class Connection(Engine):
    cdef public object handler_task

    cdef Waiter _park(self)
    cdef _take_now(self)
    cdef bint _must_wait(self) except -1
    @cython.locals(protocol=Protocol)
    cdef bint _send_now(self, message, text) except -1
    cdef bint _must_rest(self) except -1
