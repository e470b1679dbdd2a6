cdef class Waiter:
    cdef object _done, _future, _loop
    cdef public bint parked

    cpdef wake_soon(self)
    cpdef wake_now(self)
