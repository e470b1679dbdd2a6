cpdef bytes apply_mask(data, mask)
cpdef bytes take_bytes(bytearray data, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t key)
cpdef str take_text(bytearray data, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t key)
