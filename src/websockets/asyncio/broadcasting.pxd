cimport cython
from ..protocol cimport Protocol
from ..speedups cimport build_frame
from .connection cimport Connection

cdef object OPEN

@cython.locals(connection=Connection, frames=_Frames)
cpdef broadcast(connections, message, bint raise_exceptions=*, text=*)

cdef class _Frames:
    cdef int opcode
    cdef bytes data, _plain
    cdef dict _compressed

    @cython.locals(protocol=Protocol, frame=bytes)
    cdef send(self, Connection connection)
    cdef bytes _plain_frame(self)
    @cython.locals(frame=bytes)
    cdef bytes _compressed_frame(self, deflate)
    cdef bytes _compress(self, deflate)

@cython.locals(length=int)
cdef long long _payload_size(bytes frame)
