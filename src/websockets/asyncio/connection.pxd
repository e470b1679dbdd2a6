from .engine cimport Engine
cdef class Connection(Engine):
    cdef public object handler_task
