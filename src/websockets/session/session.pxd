cimport cython
from ..protocol cimport Protocol
from ..reader cimport FrameReader
from .inbox cimport Inbox
from .clock cimport Clock

cdef object OPEN, CLOSING
cdef int _INFLATER, _FRAMES

cdef class Session:
    cdef public Protocol protocol
    cdef public Inbox inbox
    cdef public Clock clock
    cdef public object pings, meter, fault
    cdef object _outbox
    cdef public list pongs
    cdef public bint held, dropping
    cdef public long long messages_received, fragments_received, controls_received
    cdef public long long bytes_received
    @cython.locals(protocol=Protocol, reader=FrameReader, inbox=Inbox, inflated="long long", frames="long long", more=bint, opcode=int)
    cpdef receive(self, data, Py_ssize_t size=*)
    cpdef receive_held(self)
    cpdef receive_eof(self)
