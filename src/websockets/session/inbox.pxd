cdef class Fragments:
    cdef public list parts
    cdef public long long size
cdef class Inbox:
    cdef public object high, low, max_bytes, reserve, messages, partial
    cpdef put_part(self, part, bint last)
