"""Floor 4, engine: the connection that the faces build on.

What recv(), send() and ``async for`` do is said, and done, in connection.py. The
coroutines there cost more than what they do, when a message waits already or can
be written at once. An Operation stands for such a coroutine and is lighter. It
does the first step itself, by the functions that the coroutine calls too, and
waits by itself for a message; whatever else there is to do, it has the coroutine
do it. Like a coroutine, it does nothing before it is awaited.
"""

import types
import warnings

cimport cython
from cpython.object cimport Py_SIZE
from cpython.ref cimport Py_INCREF, PyObject

from .connection cimport Connection
from .waiters cimport Waiter

from .connection import ConnectionClosedOK, convert

cdef extern from *:
    """
    /* Have the iterator that returns NULL next return a value. */
    static void ws_return(PyObject *value)
    {
        PyErr_SetObject(PyExc_StopIteration, value);
    }

    /* How tasks have an operation go on; see Operation.go_on(). */
    typedef int (*ws_go_on)(PyObject *, PyObject **);
    static ws_go_on ws_operation_go_on;

    static PySendResult ws_send(PyObject *self, PyObject *arg, PyObject **result)
    {
        return (PySendResult)ws_operation_go_on(self, result);
    }

    static void ws_install_send(PyObject *type, void *go_on)
    {
        ws_operation_go_on = (ws_go_on)go_on;
        ((PyTypeObject *)type)->tp_as_async->am_send = ws_send;
    }

    /* Cython makes special methods ordinary ones, which subclasses written in
       Python call by their name. Make this one a slot, as those of the built-in
       types are, whose subclasses have it too. */
    static int ws_install_anext(PyObject *type, PyObject *example)
    {
        PyTypeObject *heir = (PyTypeObject *)type;
        PyObject *slot = PyDescr_NewWrapper(
            heir,
            ((PyWrapperDescrObject *)example)->d_base,
            (void *)heir->tp_as_async->am_anext);
        int failed;

        if (slot == NULL)
            return -1;
        failed = PyDict_SetItemString(heir->tp_dict, "__anext__", slot);
        Py_DECREF(slot);
        PyType_Modified(heir);
        return failed;
    }

    /* Have tools see a coroutine function; the code itself is never run. */
    static void ws_mark(PyObject *code)
    {
        ((PyCodeObject *)code)->co_flags |= CO_COROUTINE;
    }
    """
    int PYGEN_RETURN, PYGEN_NEXT
    void ws_return(object value) noexcept
    void ws_install_send(object type, void *go_on) noexcept
    int ws_install_anext(object type, object example) except -1
    void ws_mark(object code) noexcept

__all__ = ["FastConnection"]

cdef enum Kind:
    RECV
    NEXT
    SEND

cdef enum Stage:
    #: It wasn't awaited yet.
    FRESH
    #: A task waits for a message.
    PARKED
    #: A coroutine does the rest.
    DELEGATED
    FINISHED

_NAMES = {RECV: "recv", NEXT: "__anext__", SEND: "send"}


@cython.final
@cython.freelist(64)
@cython.no_gc_clear
@cython.auto_pickle(False)
cdef class Operation:
    """
    What recv(), send() and __anext__() return: a coroutine, but for its type.
    """

    cdef Connection connection
    cdef Waiter waiter
    cdef object inner
    # The message to send, or how the message to receive is to be decoded.
    cdef object argument
    cdef object text
    cdef Kind kind
    cdef Stage stage

    def __await__(self):
        if self.stage == FINISHED:
            raise RuntimeError("cannot reuse already awaited coroutine")
        if self.stage != FRESH:
            raise RuntimeError("coroutine is being awaited already")
        return self

    def __iter__(self):
        """As the iterator that coroutines give to ``await``."""
        return self.__await__()

    def __next__(self):
        cdef object outcome = self._go_on()
        if self.stage != FINISHED:
            # What the event loop is to wait for.
            return outcome
        if outcome is not None:
            ws_return(outcome)
        # Without a traceback: that would cost as much as everything else.
        raise StopIteration

    def send(self, value):
        """Go on, as coroutines do."""
        if value is not None and self.stage == FRESH:
            raise TypeError("can't send non-None value to a just-started coroutine")
        return next(self)

    def throw(self, typ, value=None, traceback=None):
        """Raise an exception where the operation waits."""
        if isinstance(typ, type) and issubclass(typ, BaseException):
            if value is None:
                typ = typ()
            else:
                typ = value if isinstance(value, BaseException) else typ(value)
        elif not isinstance(typ, BaseException):
            raise TypeError(
                "exceptions must be classes or instances deriving from "
                f"BaseException, not {type(typ).__name__}"
            )
        if self.stage == FINISHED:
            raise RuntimeError("cannot reuse already awaited coroutine")
        if traceback is not None:
            typ = typ.with_traceback(traceback)
        if self.stage == DELEGATED:
            try:
                return self.inner.throw(typ)
            except BaseException:
                self._finish()
                raise
        self.close()
        raise typ

    def close(self):
        """Wait no more."""
        cdef object inner = self.inner
        if self.stage == PARKED:
            self.waiter.leave()
        self._finish()
        if inner is not None:
            inner.close()

    def __dealloc__(self):
        if self.stage == PARKED and self.waiter is not None:
            # The event loop was closed, or the garbage collector was here.
            self.waiter.leave()
        elif self.stage == FRESH and self.connection is not None:
            warnings.warn(
                f"coroutine '{self.__qualname__}' was never awaited", RuntimeWarning
            )

    # What asyncio and debuggers ask coroutines.

    @property
    def __name__(self):
        return _NAMES[self.kind]

    @property
    def __qualname__(self):
        return f"Connection.{_NAMES[self.kind]}"

    @property
    def cr_await(self):
        return self.waiter if self.stage == PARKED else self.inner

    @property
    def cr_running(self):
        return False

    @property
    def cr_suspended(self):
        return self.stage == PARKED or self.stage == DELEGATED

    @property
    def cr_frame(self):
        return getattr(self.inner, "cr_frame", None)

    @property
    def cr_code(self):
        return getattr(self.inner, "cr_code", None)

    # The steps. They return the result and finish, or what to wait for.

    cdef object _go_on(self):
        if self.stage == DELEGATED:
            return self._delegate()
        if self.stage == FINISHED or self.connection is None:
            raise RuntimeError("cannot reuse already awaited coroutine")
        if self.kind == SEND:
            return self._send()
        return self._receive()

    cdef object _receive(self):
        cdef Connection connection = self.connection
        cdef object message
        cdef bint fresh = self.stage == FRESH
        # Unless it waits below. An exception finishes it too.
        self.stage = FINISHED
        if not fresh:
            self.waiter.parked = False
        elif not Py_SIZE(connection._inbox.messages) and connection._must_wait():
            self.waiter = connection._park()
            self.stage = PARKED
            return self.waiter.park()
        message = connection._take_now()
        if message is None:
            if self.kind == NEXT:
                return self._turn_to(Connection.__anext__(connection))
            return self._turn_to(Connection.recv(connection, self.argument))
        if self.argument is not None:
            message = convert(message, self.argument)
        self._finish()
        return message

    cdef object _send(self):
        cdef Connection connection = self.connection
        # Unless it waits below. An exception finishes it too.
        self.stage = FINISHED
        if not connection._send_now(self.argument, self.text):
            return self._turn_to(
                Connection.send(connection, self.argument, text=self.text)
            )
        if connection._must_rest():
            return self._turn_to(connection._rest())
        self._finish()
        return None

    cdef object _turn_to(self, coroutine):
        """Have a coroutine do the rest."""
        self.stage = DELEGATED
        self.inner = coroutine
        self.waiter = None
        self.argument = None
        return self._delegate()

    cdef object _delegate(self):
        cdef object result
        try:
            return self.inner.send(None)
        except StopIteration as exc:
            result = exc.value
        except BaseException:
            self._finish()
            raise
        self._finish()
        return result

    cdef void _finish(self) noexcept:
        """Let go of everything: who keeps this doesn't want to keep that."""
        self.stage = FINISHED
        self.connection = None
        self.waiter = None
        self.inner = None
        self.argument = None


cdef int go_on(PyObject *self, PyObject **result) except -1:
    """Go on: this is what PyIter_Send() calls."""
    cdef Operation operation = <Operation>self
    cdef object outcome
    result[0] = NULL
    outcome = operation._go_on()
    Py_INCREF(outcome)
    result[0] = <PyObject *>outcome
    return PYGEN_RETURN if operation.stage == FINISHED else PYGEN_NEXT


cdef inline Operation begin(
    Connection connection, Kind kind, object argument, object text
):
    cdef Operation operation
    if connection._session is None:
        raise RuntimeError("the connection's __init__() wasn't called")
    operation = Operation.__new__(Operation)
    operation.connection = connection
    operation.argument = argument
    operation.text = text
    operation.kind = kind
    operation.stage = FRESH
    return operation


cdef class FastConnection(Connection):
    # The docstrings are those of Connection; see below.

    def recv(self, decode=None):
        return begin(self, RECV, decode, None)

    def send(self, message, *, text=None):
        return begin(self, SEND, message, text)

    def __anext__(self):
        return begin(self, NEXT, None, None)

    def __aiter__(self):
        # vars() would do, but what it makes stays and slows down later look-ups.
        if getattr(self.recv, "__func__", None) is not _RECV:
            return self._iterate()
        return self


_RECV = FastConnection.recv

ws_install_send(Operation, <void *>go_on)
ws_install_anext(FastConnection, vars(types.AsyncGeneratorType)["__anext__"])
for _name in "recv", "send":
    _function = vars(FastConnection)[_name]
    _function.__doc__ = vars(Connection)[_name].__doc__
    ws_mark(_function.__code__)
