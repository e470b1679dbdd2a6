cdef class Waiter:
    cdef object _done, _future, _loop
    cdef public bint parked

    cpdef bint is_waiting(self) except -1
    cpdef wake_soon(self)
    cpdef wake_now(self)
