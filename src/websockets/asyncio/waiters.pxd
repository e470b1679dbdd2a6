cdef class Waiter:
    cdef object _callback, _done, _future, _loop, _remove, _run
    cdef bint _spoiled
    cdef public bint parked

    cpdef park(self)
    cpdef leave(self)
    cpdef forget(self)
    cpdef bint is_waiting(self) except -1
    cpdef wake_soon(self)
    cpdef wake_now(self)
