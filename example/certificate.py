"""Make a certificate for localhost, for the examples with TLS.

It needs the program openssl. tls_server.py calls it by itself.

Run: python example/certificate.py [directory]
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent

OPENSSL = """
    openssl req -x509 -days 30 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1
    -keyout key.pem -out certificate.pem -subj /CN=localhost
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1
    -addext keyUsage=critical,digitalSignature,keyCertSign
"""


def make(directory: str | pathlib.Path = HERE) -> None:
    """Write certificate.pem and key.pem, good for 30 days, into a directory."""
    subprocess.run(OPENSSL.split(), cwd=directory, check=True, capture_output=True)


if __name__ == "__main__":
    make(*sys.argv[1:])
