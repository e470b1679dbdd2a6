cdef class Waiter:
    cdef public bint _asyncio_future_blocking, parked
    cdef object _callback, _cancel_message, _context, _loop
    cdef bint _cancelled
    cpdef wake(self)
    cpdef wake_now(self)
