"""Floor 1, bytes: the few operations that touch every byte, on pointers.

The same as speedups.py, whose place this takes where there is a C compiler; what
the functions do is said there. The masking loop works on eight bytes at a time,
which compilers make into vector instructions; where the compiler can, a version
for AVX2 is chosen at run time.
"""

from cpython.buffer cimport (
    PyBUF_SIMPLE,
    PyBuffer_FillInfo,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    /* glibc's loader chooses; musl's can't. */
    #if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) \
        && !defined(__clang__)
    #define WS_DISPATCH __attribute__((target_clones("avx2", "default")))
    #else
    #define WS_DISPATCH
    #endif

    /* out and in may be the same. */
    WS_DISPATCH
    static void ws_mask(unsigned char *out, const unsigned char *in,
                        Py_ssize_t size, const unsigned char *key)
    {
        uint32_t key4;
        uint64_t key8, word;
        Py_ssize_t i = 0;

        memcpy(&key4, key, 4);
        key8 = ((uint64_t)key4 << 32) | key4;
        for (; i + 8 <= size; i += 8) {
            memcpy(&word, in + i, 8);
            word ^= key8;
            memcpy(out + i, &word, 8);
        }
        for (; i < size; i++)
            out[i] = in[i] ^ ((const unsigned char *)&key8)[i & 7];
    }
    """
    void ws_mask(
        unsigned char *out,
        const unsigned char *in_,
        Py_ssize_t size,
        const unsigned char *key,
    ) noexcept

__all__ = [
    "Payload",
    "apply_mask",
    "build_frame",
    "build_masked_frame",
    "compiled",
    "take_bytes",
    "take_text",
]

compiled = True


cpdef bytes apply_mask(data, mask):
    """Mask or unmask a payload; see speedups.py."""
    cdef Py_buffer view, key
    cdef bytes masked
    PyObject_GetBuffer(mask, &key, PyBUF_SIMPLE)
    try:
        if key.len != 4:
            raise ValueError(f"mask must contain 4 bytes; got {key.len}")
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            masked = PyBytes_FromStringAndSize(NULL, view.len)
            ws_mask(
                <unsigned char *>PyBytes_AS_STRING(masked),
                <const unsigned char *>view.buf,
                view.len,
                <const unsigned char *>key.buf,
            )
            return masked
        finally:
            PyBuffer_Release(&view)
    finally:
        PyBuffer_Release(&key)


cdef class Payload:
    """
    The payload of a frame that comes in parts; see speedups.py.

    It is gathered in what becomes the message: a bytes object that nobody else has
    yet. A place in it that was handed out keeps that object alive.
    """

    def __cinit__(self):
        self._data = b""

    def __init__(self, Py_ssize_t size, bytes mask not None):
        if len(mask) not in (0, 4):
            raise ValueError(f"mask must contain 4 bytes; got {len(mask)}")
        if size < 0:
            raise ValueError("negative size")
        self._size = size
        self._masked = len(mask) == 4
        if self._masked:
            memcpy(self._key, PyBytes_AS_STRING(mask), 4)
        self._received = 0
        self._data = b""

    def __len__(self):
        return self._received

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(
            buffer,
            self._data,
            PyBytes_AS_STRING(self._data) + self._received,
            PyBytes_GET_SIZE(self._data) - self._received,
            False,
            flags,
        )

    cpdef append(self, bytearray data, Py_ssize_t start, Py_ssize_t stop):
        cdef unsigned char *source = _checked(data, start, stop, -1) + start
        cdef Py_ssize_t size = stop - start
        self._reserve(size)
        self._unmask(source, size)

    def room(self):
        if self._received == PyBytes_GET_SIZE(self._data):
            self._reserve(1)
        return memoryview(self)

    cpdef filled(self, Py_ssize_t size):
        cdef Py_ssize_t room = PyBytes_GET_SIZE(self._data) - self._received
        if not 0 <= size <= room:
            raise IndexError("payload is outside of the buffer")
        self._unmask(
            <unsigned char *>PyBytes_AS_STRING(self._data) + self._received, size
        )

    cdef void _unmask(self, const unsigned char *source, Py_ssize_t size) noexcept:
        """Take bytes from elsewhere or from their place; there is room."""
        cdef unsigned char *target
        cdef unsigned char key[4]
        cdef int i
        target = <unsigned char *>PyBytes_AS_STRING(self._data) + self._received
        if self._masked:
            # The key goes on where the last part left it.
            for i in range(4):
                key[i] = self._key[(self._received + i) & 3]
            ws_mask(target, source, size, key)
        elif target != source:
            memcpy(target, source, size)
        self._received += size

    cdef int _reserve(self, Py_ssize_t wanted) except -1:
        """Have room for so many bytes more."""
        cdef Py_ssize_t room
        cdef bytes larger
        if wanted > self._size - self._received:
            raise IndexError("payload is outside of the buffer")
        wanted += self._received
        if wanted > PyBytes_GET_SIZE(self._data):
            # Compared like this, no product of hostile lengths can overflow.
            room = self._size if wanted > self._size // 8 else max(8 * wanted, 65536)
            larger = PyBytes_FromStringAndSize(NULL, min(self._size, room))
            memcpy(
                PyBytes_AS_STRING(larger),
                PyBytes_AS_STRING(self._data),
                self._received,
            )
            self._data = larger
        return 0

    def part(self, Py_ssize_t start):
        return memoryview(self._data)[start : self._received]

    cpdef bytes take_bytes(self):
        self._check_whole()
        return self._data

    cpdef str take_text(self):
        self._check_whole()
        return PyUnicode_DecodeUTF8(
            PyBytes_AS_STRING(self._data), self._size, "strict"
        )

    cdef int _check_whole(self) except -1:
        if self._received != self._size:
            raise IndexError("the payload isn't complete")
        return 0


cpdef bytes build_frame(int first, data):
    """Build an unmasked frame; see speedups.py."""
    cdef Py_buffer view
    if type(data) is bytes:
        return _build_frame(
            first, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), NULL
        )
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return _build_frame(first, <const char *>view.buf, view.len, NULL)
    finally:
        PyBuffer_Release(&view)


cpdef bytes build_masked_frame(int first, data, bytes key):
    """Build a masked frame; see speedups.py."""
    cdef Py_buffer view
    if key is None or len(key) != 4:
        raise ValueError("mask must contain 4 bytes")
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return _build_frame(
            first, <const char *>view.buf, view.len, PyBytes_AS_STRING(key)
        )
    finally:
        PyBuffer_Release(&view)


cdef bytes _build_frame(
    int first, const char *payload, Py_ssize_t size, const char *key
):
    cdef unsigned char *frame
    cdef bytes built
    cdef Py_ssize_t header, i
    cdef int mask = 0 if key == NULL else 4
    if not 0 <= first < 256:
        raise IndexError("the first byte must be a byte")
    header = 2 if size < 126 else 4 if size < 65536 else 10
    built = PyBytes_FromStringAndSize(NULL, header + mask + size)
    frame = <unsigned char *>PyBytes_AS_STRING(built)
    frame[0] = first
    frame[1] = size if header == 2 else 126 if header == 4 else 127
    for i in range(2, header):
        frame[i] = (<uint64_t>size >> (8 * (header - 1 - i))) & 0xFF
    frame += header
    if mask:
        frame[1 - header] |= 0x80
        memcpy(frame, key, 4)
        ws_mask(
            frame + 4,
            <const unsigned char *>payload,
            size,
            <const unsigned char *>key,
        )
    else:
        memcpy(frame, payload, size)
    return built


cpdef bytes take_bytes(
    bytearray data, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t key
):
    """Copy a payload out of a buffer; see speedups.py."""
    cdef unsigned char *base = _checked(data, start, stop, key)
    cdef bytes payload
    if key < 0:
        return PyBytes_FromStringAndSize(<char *>base + start, stop - start)
    payload = PyBytes_FromStringAndSize(NULL, stop - start)
    ws_mask(
        <unsigned char *>PyBytes_AS_STRING(payload),
        base + start,
        stop - start,
        base + key,
    )
    return payload


cpdef str take_text(
    bytearray data, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t key
):
    """Decode a payload out of a buffer; see speedups.py."""
    cdef unsigned char *base = _checked(data, start, stop, key)
    if key >= 0:
        ws_mask(base + start, base + start, stop - start, base + key)
    return PyUnicode_DecodeUTF8(<char *>base + start, stop - start, "strict")


cdef unsigned char *_checked(
    bytearray data, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t key
) except NULL:
    """Return where the buffer lies, if these positions are inside it."""
    if data is None:
        raise TypeError("data must be a bytearray")
    if not 0 <= start <= stop <= len(data) or (key >= 0 and key + 4 > len(data)):
        raise IndexError("payload is outside of the buffer")
    return <unsigned char *>PyByteArray_AS_STRING(data)
