cdef class Fragments:
    cdef public list parts
    cdef public long long size
    cdef public bint streamed, last
cdef object _sizeof

cdef class Inbox:
    cdef public object high, low, reserve, messages, append, popleft, partial
    cdef public long long max_bytes
    cdef public bint streaming, skipping
    cdef bint _size_exceeds(self, long long limit) except -1
    cpdef put_part(self, part, bint last)
