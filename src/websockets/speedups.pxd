cpdef append_payload(
    bytearray payload, bytearray data, Py_ssize_t start, Py_ssize_t stop, bytes mask
)
cpdef bytes build_frame(int first, data)
cpdef bytes apply_mask(data, mask)
cpdef bytes take_bytes(bytearray data, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t key)
cpdef str take_text(bytearray data, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t key)
