cimport cython
from .speedups cimport Payload, take_bytes, take_text

cdef bytearray _NOTHING
cdef int _LARGE, _BYTES_PER_FRAME

cdef class FrameReader:
    cdef public int opcode, reserved, message_opcode, message_reserved
    cdef public bint fin, in_message, more
    cdef public long long length, message_size
    cdef bint _masked
    cdef int _allowed, _opaque, _text
    cdef long long _max_size, _max_frame_size, _max_fragments, _fragments, _missing
    cdef Py_ssize_t _pos, _end, _start, _key, _checked
    cdef list _faults
    cdef bytearray _data, _tail
    cdef Payload _partial
    cdef object _decoder, _validator

    cpdef feed(self, data, Py_ssize_t size=*)
    cpdef settle(self)
    cpdef drop(self)
    @cython.locals(pos=Py_ssize_t, end=Py_ssize_t, masked=bint, first=int, second=int, opcode=int, length="unsigned long long", size="long long", complete=bint, data=bytearray, key=Py_ssize_t)
    cpdef bint read_frame(self) except -1
    @cython.locals(most="long long")
    cpdef _begin_fragment(self, int first, int opcode, long long length)
    cpdef _check_size(self, int first, unsigned long long length, long long size)
    @cython.locals(payload=Payload, size="long long", stop=Py_ssize_t)
    cpdef bint _gather(self) except -1
    cpdef bint wants_room(self) except -1
    cpdef fill(self, Py_ssize_t size)
    @cython.locals(start=Py_ssize_t)
    cdef _validate(self, Payload payload)
    @cython.locals(payload=Payload, start=Py_ssize_t)
    cpdef bytes take_bytes(self)
    @cython.locals(payload=Payload, start=Py_ssize_t)
    cpdef str take_text(self)
