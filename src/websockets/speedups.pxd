cdef class Payload:
    cdef bytes _data
    cdef Py_ssize_t _size, _received
    cdef unsigned char _key[4]
    cdef bint _masked

    cpdef append(self, bytearray data, Py_ssize_t start, Py_ssize_t stop)
    cpdef filled(self, Py_ssize_t size)
    cdef void _unmask(self, const unsigned char *source, Py_ssize_t size) noexcept
    cdef int _reserve(self, Py_ssize_t wanted) except -1
    cpdef bytes take_bytes(self)
    cpdef str take_text(self)
    cdef int _check_whole(self) except -1

cpdef bytes build_frame(int first, data)
cpdef bytes apply_mask(data, mask)
cpdef bytes take_bytes(bytearray data, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t key)
cpdef str take_text(bytearray data, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t key)
cpdef bytes build_masked_frame(int first, data, bytes key)
