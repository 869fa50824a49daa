"""gRPC's own log writes a line for each handshake that fails, and anybody who reaches the port can make it fail.

It is read when grpc is first imported, so this module is imported before; who looks for a fault may set it.
"""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
