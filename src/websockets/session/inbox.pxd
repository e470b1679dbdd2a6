cdef class Fragments:
    cdef public list parts
    cdef public long long size
    cdef public bint streamed, last
cdef class Inbox:
    cdef public object high, low, max_bytes, reserve, messages, partial
    cdef public bint streaming, skipping
    cpdef put_part(self, part, bint last)
