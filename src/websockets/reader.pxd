cimport cython
from .speedups cimport append_payload, take_bytes, take_text

cdef bytearray _NOTHING

cdef class FrameReader:
    cdef public int opcode, reserved, message_opcode, message_reserved
    cdef public bint fin, in_message
    cdef public long long length, message_size
    cdef bint _masked, _gathered
    cdef int _allowed, _opaque, _text
    cdef long long _max_size, _max_frame_size, _max_fragments, _fragments, _missing
    cdef Py_ssize_t _pos, _end, _start, _key
    cdef list _faults
    cdef bytearray _data, _tail, _partial
    cdef bytes _mask
    cdef object _decoder, _validator

    cpdef feed(self, data, Py_ssize_t size=*)
    cpdef settle(self)
    cpdef drop(self)
    @cython.locals(pos=Py_ssize_t, available=Py_ssize_t, first=int, second=int, opcode=int, length="unsigned long long", size="long long", complete=bint, data=bytearray, key=Py_ssize_t)
    cpdef bint read_frame(self) except -1
    cpdef _begin_fragment(self, int first, int opcode, long long length)
    cpdef _check_size(self, int first, unsigned long long length, long long size)
    @cython.locals(size="long long", gathered=Py_ssize_t, stop=Py_ssize_t)
    cpdef bint _gather(self) except -1
    cpdef bytes take_bytes(self)
    cpdef str take_text(self)
