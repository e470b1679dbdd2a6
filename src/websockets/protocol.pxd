cimport cython
from .reader cimport FrameReader
from .speedups cimport build_frame, build_masked_frame

cdef int _LARGE

cdef class Protocol:
    cdef public object side, extensions, subprotocol, handshake_exc, parser_exc, close_rcvd, close_sent, close_rcvd_then_sent
    cdef public object _logger, _wrap_logger, _state, _id, _compressor, _held_pong
    cdef public bint debug, discarding, emits_frames, hold_pongs, eof_sent
    cdef public bint _mask_frames, _writes_plainly, _fragmenting
    cdef public FrameReader reader
    cdef public list _events, writes
    cdef public long long unsent, messages_sent, inflaters
    cdef dict __dict__
    cdef object __weakref__

    @cython.locals(first=int, size=Py_ssize_t)
    cdef _write_data(self, int opcode, data, bint fin)
    cdef _write_frame(self, int first, data)
    cpdef take_data(self)
    cpdef receive_control(self, int opcode, bytes data)
