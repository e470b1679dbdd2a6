"""Floor 2, rules: what an extension must offer (RFC 6455, 9)."""

from __future__ import annotations

from collections.abc import Sequence

from ..exceptions import NegotiationError
from ..frames import Frame
from ..typing import ExtensionName, ExtensionParameter

__all__ = ["ClientExtensionFactory", "Extension", "ServerExtensionFactory"]


class Extension:
    """
    An extension as one connection uses it, after negotiation.

    Attributes:
        name: the name under which the extension is negotiated.

    """

    name: ExtensionName

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        """
        Turn a received frame into the one the application sees.

        Args:
            frame: the frame as it came; it must not be changed.
            max_size: most bytes that the payload of the result may have; None
                for no limit.

        Raises:
            PayloadTooBig: if the payload would be larger than ``max_size``.

        """
        raise TypeError(f"{type(self).__name__} must define decode()")

    def encode(self, frame: Frame) -> Frame:
        """
        Turn a frame of the application into the one to send.

        Args:
            frame: the frame to send; it must not be changed.

        """
        raise TypeError(f"{type(self).__name__} must define encode()")


class ClientExtensionFactory:
    """
    A client's side of negotiating an extension.

    Attributes:
        name: the name under which the extension is negotiated.

    """

    name: ExtensionName

    def get_request_params(self) -> Sequence[ExtensionParameter]:
        """Return the parameters to offer in the handshake request."""
        raise TypeError(f"{type(self).__name__} must define get_request_params()")

    def process_response_params(
        self,
        params: Sequence[ExtensionParameter],
        accepted_extensions: Sequence[Extension],
    ) -> Extension:
        """
        Take the parameters that the server answered.

        Args:
            params: the parameters in the handshake response.
            accepted_extensions: the extensions accepted before this one.

        Returns:
            The extension for this connection.

        Raises:
            NegotiationError: if the parameters aren't acceptable.

        """
        raise NegotiationError(
            f"{type(self).__name__} must define process_response_params()"
        )


class ServerExtensionFactory:
    """
    A server's side of negotiating an extension.

    Attributes:
        name: the name under which the extension is negotiated.

    """

    name: ExtensionName

    def process_request_params(
        self,
        params: Sequence[ExtensionParameter],
        accepted_extensions: Sequence[Extension],
    ) -> tuple[list[ExtensionParameter], Extension]:
        """
        Take one offer of the client.

        Args:
            params: the parameters in the handshake request.
            accepted_extensions: the extensions accepted before this one.

        Returns:
            The parameters to answer, and the extension for this connection.

        Raises:
            NegotiationError: if the offer isn't acceptable; the next offer of
                the same extension is then tried.

        """
        raise NegotiationError(
            f"{type(self).__name__} must define process_request_params()"
        )
