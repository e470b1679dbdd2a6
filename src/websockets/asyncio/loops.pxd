cdef class Deadline:
    cdef public object member
    cdef public double when
    cdef public long long number

cdef class LoopState:
    cdef public object _loop, _context, _handle
    cdef public list _dirty, _deadlines
    cdef public double _handle_at, _tasks_began
    cdef public long long _number, _void, _received
    cdef public list _resting
    cdef public object _slow
    cdef public bytearray buffer
    cdef public object view
    cdef public object clock
    cdef public bint shares_reads, _reads_once, _counting

    cpdef bint had_enough(self, Py_ssize_t nbytes)
    cpdef read_later(self, member, bint slowly=*)
    cpdef double gone_on(self, double now)
    cpdef flush_soon(self, member)
    cpdef add_deadline(self, double when, member)
    cpdef drop_deadline(self, Deadline deadline)
