from .engine cimport Engine
from .waiters cimport Waiter

cdef class Connection(Engine):
    cdef public object handler_task

    cpdef Waiter _park(self)
