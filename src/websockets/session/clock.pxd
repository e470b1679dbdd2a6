cdef class Clock:
    cdef public object ping_interval, ping_timeout, close_timeout
    cdef public bint heard
    cdef double _open_at, _ping_at, _pong_at, _stall_at, _close_at, _read_at
    cdef long long _progress
