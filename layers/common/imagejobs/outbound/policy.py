"""What a stranger's URL must look like, judged without DNS: at acceptance, and again at each call.

The URL is taken apart here and nowhere else, and the connection is made with the parts. Only a subset of RFC 3986 on
which every parser agrees is taken; what other parsers might read otherwise is refused, not repaired.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import urljoin

from imagejobs.errors import PermanentError
from imagejobs.outbound.addresses import Address, Reach, parse_address, reach_of, without_nat64

MAX_URL_LENGTH = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#\\]*)(?P<target>[/?][^#\\]*)?", re.ASCII | re.DOTALL
)
# The characters of a Location, but for its fragment: those that no parser strips, repairs or takes for others.
_LOCATION = re.compile(r"[!-\[\]-~]*", re.ASCII)
_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:", re.ASCII)
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>.*))?", re.DOTALL)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
# RFC 952 allows no underscore in a host name, yet Docker's names have it.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
# Names that mean this machine or this network by convention (RFC 6761, RFC 6762, RFC 8375, ICANN's .internal).
_LOCAL_SUFFIXES = ("localhost", "local", "internal", "home.arpa", "localdomain")
# What a Lambda sandbox serves on its loopback address: runtime API and credentials, secrets extension, X-Ray daemon.
_LAMBDA_PORTS = {9001: "Lambda's runtime API", 2773: "Lambda's secrets extension", 2000: "Lambda's X-Ray daemon"}


class UrlRefusedError(PermanentError):
    """A URL that policy forbids to call. The message completes "the URL …"."""


@dataclass(frozen=True)
class OutboundPolicy:
    """What may be called. The default is what is right for strangers' URLs: https, to public addresses."""

    allow_http: bool = False
    # Also loopback and private networks; never link-local, metadata services or Lambda's own endpoints.
    allow_private: bool = False
    # Host names, exact or `*.suffix` (which stands for every name below it); empty allows every host.
    allowed_hosts: tuple[str, ...] = ()
    # This sandbox's runtime API as `host:port`, from AWS_LAMBDA_RUNTIME_API.
    runtime_api: str = ""


@dataclass(frozen=True)
class Target:
    """A URL taken apart: `host` in lower-case ASCII without brackets, `path` with its query."""

    scheme: str
    host: str
    port: int
    path: str
    port_given: bool = False

    @property
    def address(self) -> Address | None:
        """The host when it is an IP address."""
        return parse_address(self.host)

    @property
    def host_header(self) -> str:
        """The Host header (RFC 9110, 7.2): without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(url: str, policy: OutboundPolicy) -> Target:
    """Take a URL apart and refuse what policy forbids, without asking DNS.

    Raises:
        UrlRefusedError: saying what is wrong with it, without repeating the URL.
    """
    target = parse_url(url)
    if target.scheme == "http" and not policy.allow_http:
        raise UrlRefusedError("must begin with https://")
    if policy.allowed_hosts and not any(_matches(target.host, pattern) for pattern in policy.allowed_hosts):
        raise UrlRefusedError("names a host that is not among the allowed ones")
    if target.address is not None:
        check_address(target.address, target.port, policy)
    elif not policy.allow_private and _is_local_name(target.host):
        raise UrlRefusedError("names a host of a local network")
    if not policy.allow_private and target.port < 1024 and target.port not in _DEFAULT_PORTS.values():
        raise UrlRefusedError(f"names port {target.port}; below 1024 only 80 and 443 are taken")
    return target


def check_address(address: Address, port: int, policy: OutboundPolicy) -> None:
    """Refuse an address that policy forbids to connect to; raises UrlRefusedError."""
    address = without_nat64(address)
    reach, what = reach_of(address)
    if reach is Reach.FORBIDDEN or (reach is Reach.PRIVATE and not policy.allow_private):
        raise UrlRefusedError(f"leads to an address that is not public: {what}")
    if address.is_loopback and port in _LAMBDA_PORTS:
        raise UrlRefusedError(f"leads to {_LAMBDA_PORTS[port]}")
    if policy.runtime_api and _is_runtime_api(address, port, policy.runtime_api):
        raise UrlRefusedError("leads to Lambda's runtime API")


def _is_runtime_api(address: Address, port: int, runtime_api: str) -> bool:
    """Tell whether an address is the runtime API's; on loopback the port decides, whatever form the address has."""
    host, _, runtime_port = runtime_api.rpartition(":")
    runtime_address = parse_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    same = address == runtime_address or (
        address.is_loopback and runtime_address is not None and runtime_address.is_loopback
    )
    return same and str(port) == runtime_port


def redirected(url: str, location: str) -> str:
    """The URL that a redirect leads to: `location`, seen from the `url` that was called (RFC 9110, section 10.2.2).

    It is a stranger's URL as any other, which `check_url` is still to judge.

    Raises:
        UrlRefusedError: it cannot be read in one way alone, or leads from https to another scheme.
    """
    location = location.partition("#")[0]
    if not _LOCATION.fullmatch(location):
        raise UrlRefusedError("has a space, a backslash or a character outside ASCII")
    scheme = parse_url(url).scheme
    if location.startswith("//"):
        location = f"{scheme}:{location}"
    found = location if _HAS_SCHEME.match(location) else urljoin(url, location)
    if scheme == "https" and not found.lower().startswith("https:"):
        raise UrlRefusedError("must begin with https://, as the one before it")
    return found


def rewritten(url: str, netloc: str) -> str:
    """Lead a URL of watsonx Orchestrate Developer Edition's server to `netloc` ("127.0.0.1:14321").

    Only the host `wxo-server` with port 4321 or none is rewritten; every other URL is returned as it is.
    """
    try:
        target = parse_url(url)
    except UrlRefusedError:
        return url
    if target.host != "wxo-server" or (target.port_given and target.port != 4321):
        return url
    return f"{target.scheme}://{netloc}{target.path}"


def parse_url(url: str) -> Target:
    """Take a URL apart; raises UrlRefusedError for all but a plain http or https URL."""
    if len(url) > MAX_URL_LENGTH:
        raise UrlRefusedError(f"has {len(url)} characters; the limit is {MAX_URL_LENGTH}")
    if any(character <= " " or character == "\x7f" or character.isspace() for character in url):
        raise UrlRefusedError("has a space or control character")
    if "\\" in url:
        raise UrlRefusedError("has a backslash")
    if "#" in url:
        raise UrlRefusedError("has a fragment (#), which is never sent")
    found = _URL.fullmatch(url)
    scheme = found["scheme"].lower() if found else ""
    if not found or scheme not in _DEFAULT_PORTS:
        raise UrlRefusedError("must be an absolute URL: https://host/path")
    path = found["target"] or "/"
    if not path.isascii():
        raise UrlRefusedError("has characters outside ASCII in its path or query: percent-encode them")
    host, port = _split_authority(found["authority"])
    return Target(
        scheme=scheme,
        host=host,
        port=port or _DEFAULT_PORTS[scheme],
        path=path if path.startswith("/") else f"/{path}",
        port_given=port is not None,
    )


def _split_authority(authority: str) -> tuple[str, int | None]:
    if "@" in authority:
        raise UrlRefusedError("has user info (…@) before its host")
    found = _AUTHORITY.fullmatch(authority)
    if not found or not found["host"]:
        raise UrlRefusedError("has no valid host")
    port = found["port"]
    if port is not None and (not _PORT.fullmatch(port) or int(port) > 65535):
        raise UrlRefusedError("has no valid port: expected 1 to 65535")
    return _normal_host(found["host"]), int(port) if port else None


def _normal_host(host: str) -> str:
    if host.startswith("["):
        address = parse_address(host[1:-1])
        if not isinstance(address, IPv6Address):
            raise UrlRefusedError("has no valid IPv6 address between its brackets (zone ids are refused)")
        return address.compressed
    name = host.lower() if host.isascii() else _to_ascii(host)
    if name.endswith("."):
        raise UrlRefusedError("has a host that ends in a dot")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlRefusedError("has no valid host name")
    # By the URL standard a host whose last label is a number is an IPv4 address, and resolvers take octal, hex and
    # short forms for one: only the dotted decimal form is.
    if _NUMERIC_LABEL.fullmatch(labels[-1]) and parse_address(name) is None:
        raise UrlRefusedError("has an IPv4 address that is not four decimal numbers without leading zeros")
    return name


def _to_ascii(host: str) -> str:
    """The ASCII form of an internationalised host name (UTS 46, then IDNA 2008)."""
    import idna  # 20 ms that hardly any URL costs

    try:
        return idna.encode(host, uts46=True, std3_rules=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError) as error:
        raise UrlRefusedError("has no valid internationalised host name") from error


def _is_local_name(host: str) -> bool:
    return "." not in host or any(host == suffix or host.endswith(f".{suffix}") for suffix in _LOCAL_SUFFIXES)


def _matches(host: str, pattern: str) -> bool:
    pattern = pattern.lower()
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
