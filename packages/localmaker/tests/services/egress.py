"""What a program in a VPC reaches where ``--no-egress`` is given."""

PROBE = """
import json, os, socket, sys, urllib.request

def reached(action):
    try:
        action()
    except OSError:
        return False
    return True

def look(port):
    def connect(host, port):
        socket.create_connection((host, port), timeout=5).close()
    health, direct = os.environ["AWS_ENDPOINT_URL"] + "/_local/health", urllib.request.ProxyHandler({})
    return {
        "endpoint": reached(lambda: urllib.request.build_opener(direct).open(health, timeout=30).read()),
        "another port": reached(lambda: connect("127.0.0.1", port)),
        "another address of the loopback interface": reached(lambda: connect("127.0.0.2", port)),
        "an address of a test network": reached(lambda: connect("192.0.2.1", 80)),
        "a name server": reached(lambda: socket.getaddrinfo("pypi.org", 443)),
        "another interface": {name for _, name in socket.if_nameindex()} != {"lo"},
    }
"""
ONLY_THE_ENDPOINT = {
    "endpoint": True,
    "another port": False,
    "another address of the loopback interface": False,
    "an address of a test network": False,
    "a name server": False,
    "another interface": False,
}
