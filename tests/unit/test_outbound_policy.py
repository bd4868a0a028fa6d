"""Strangers' URLs, judged without DNS."""

import ipaddress
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagejobs.outbound.addresses import Reach, reach_of
from imagejobs.outbound.policy import OutboundPolicy, UrlRefusedError, check_url, rewritten

DATA = Path(__file__).parent / "data"
# Rows of [url, part of the reason].
HOSTILE = json.loads((DATA / "hostile_urls.json").read_text())
# Rows of [url, scheme, host, port, path, Host header].
GOOD = json.loads((DATA / "good_urls.json").read_text())
STRICT = OutboundPolicy()
LOCAL = OutboundPolicy(allow_http=True, allow_private=True)


def test_the_table_is_as_large_as_promised() -> None:
    assert len({url for url, _ in HOSTILE}) >= 80


@pytest.mark.parametrize(("url", "reason"), HOSTILE)
def test_a_hostile_url_is_refused_with_its_reason(url: str, reason: str) -> None:
    with pytest.raises(UrlRefusedError) as refusal:
        check_url(url, STRICT)

    assert reason in str(refusal.value)


@pytest.mark.parametrize(("url", "scheme", "host", "port", "path", "host_header"), GOOD)
def test_a_good_url_is_taken_apart(url: str, scheme: str, host: str, port: int, path: str, host_header: str) -> None:
    target = check_url(url, STRICT)

    assert (target.scheme, target.host, target.port, target.path) == (scheme, host, port, path)
    assert target.host_header == host_header


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:14321/v1/callback",
        "http://localhost:8080/",
        "http://wxo-server:4321/",
        "http://192.168.1.20:4321/",
        "http://[::1]:8080/",
        "http://[fd12:3456::1]/",
        "https://10.1.2.3:85/",
        "http://host.docker.internal:4321/x",
    ],
)
def test_private_receivers_are_called_by_explicit_setting_alone(url: str) -> None:
    check_url(url, LOCAL)

    with pytest.raises(UrlRefusedError):
        check_url(url, STRICT)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.170.2/v2/credentials",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
        "http://127.1.2.3:9001/",
        "http://[::1]:9001/",
        "http://[64:ff9b::7f00:1]:9001/2018-06-01/runtime/invocation/next",
        "http://[64:ff9b::127.1.2.3]:2773/",
        "http://[64:ff9b::a9fe:aa02]/v2/credentials",
        "http://[::ffff:127.0.0.1]:9001/",
        "http://[2002:7f00:1::]:9001/",
        "http://127.0.0.1:2773/",
        "http://[::ffff:127.0.0.1]/",
        "http://100.100.100.200/",
        "http://0.0.0.0:8080/",
        "http://168.63.129.16/",
        "http://2130706433/",
    ],
)
def test_no_setting_opens_metadata_and_lambdas_own_endpoints(url: str) -> None:
    with pytest.raises(UrlRefusedError):
        check_url(url, LOCAL)


@pytest.mark.parametrize("runtime_api", ["127.0.0.1:9123", "localhost:9123", "[::1]:9123"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "[64:ff9b::7f00:1]"])
def test_the_sandboxs_runtime_api_is_refused_wherever_it_is(host: str, runtime_api: str) -> None:
    policy = OutboundPolicy(allow_http=True, allow_private=True, runtime_api=runtime_api)

    check_url(f"http://{host}:9124/", policy)
    with pytest.raises(UrlRefusedError, match="runtime API"):
        check_url(f"http://{host}:9123/", policy)


def test_the_runtime_api_may_have_an_address_that_is_not_loopback() -> None:
    policy = OutboundPolicy(allow_http=True, allow_private=True, runtime_api="10.0.0.7:9123")

    check_url("http://127.0.0.1:9123/", policy)
    for host in ("10.0.0.7", "[64:ff9b::10.0.0.7]"):
        with pytest.raises(UrlRefusedError, match="runtime API"):
            check_url(f"http://{host}:9123/", policy)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("hooks.example.com", True),
        ("HOOKS.example.COM", True),
        ("a.partner.example", True),
        ("a.b.partner.example", True),
        ("partner.example", False),
        ("evilpartner.example", False),
        ("hooks.example.com.evil.test", False),
        ("x.hooks.example.com", False),
        ("93.184.216.34", False),
    ],
)
def test_an_allowlist_admits_what_it_names(host: str, allowed: bool) -> None:
    policy = OutboundPolicy(allowed_hosts=("Hooks.example.com", "*.partner.example"))
    if allowed:
        check_url(f"https://{host}/", policy)
    else:
        with pytest.raises(UrlRefusedError, match="not among the allowed"):
            check_url(f"https://{host}/", policy)


def test_an_allowlist_opens_no_private_address() -> None:
    with pytest.raises(UrlRefusedError, match="loopback"):
        check_url("https://127.0.0.1/", OutboundPolicy(allowed_hosts=("127.0.0.1",)))


@given(st.ip_addresses())
@example(ipaddress.ip_address("64:ff9b::7f00:1"))
@example(ipaddress.ip_address("::127.0.0.1"))
@example(ipaddress.ip_address("fec0::1"))
@example(ipaddress.ip_address("224.0.0.1"))
@example(ipaddress.ip_address("192.88.99.1"))
def test_a_public_address_is_never_one_that_python_knows_for_special(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    reach, _ = reach_of(address)
    if isinstance(address, ipaddress.IPv6Address) and address in ipaddress.ip_network("64:ff9b::/96"):
        address = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if reach is Reach.PUBLIC:
        assert address.is_global
        special = ("multicast", "private", "loopback", "link_local", "reserved", "unspecified")
        assert not [kind for kind in special if getattr(address, f"is_{kind}")]
    if reach is Reach.PRIVATE:
        assert address.is_private
        assert not address.is_link_local


@given(st.text(max_size=60))
@example("https://[::1")
@example("https://[v1.x]:80/")
def test_any_text_is_taken_or_refused_but_never_breaks(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/", f"https://example.com{text}"):
        try:
            target = check_url(url, STRICT)
        except UrlRefusedError:
            continue
        assert target.host.isascii()
        assert target.path.startswith("/")
        assert not set(target.host + target.path) & set(" \t\r\n\\@#") - set("@" if "@" in target.path else "")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://wxo-server:4321/v1/cb?x=1", "http://127.0.0.1:14321/v1/cb?x=1"),
        ("http://wxo-server/v1/cb", "http://127.0.0.1:14321/v1/cb"),
        ("HTTP://WXO-Server:4321", "http://127.0.0.1:14321/"),
        ("http://wxo-server:4322/v1/cb", "http://wxo-server:4322/v1/cb"),
        ("http://wxo-server:80/v1/cb", "http://wxo-server:80/v1/cb"),
        ("https://wxo-server.example.com/", "https://wxo-server.example.com/"),
        ("http://user@wxo-server:4321/", "http://user@wxo-server:4321/"),
        ("no url", "no url"),
    ],
)
def test_the_rewrite_leads_wxo_server_to_the_tunnel_and_leaves_the_rest(url: str, expected: str) -> None:
    assert rewritten(url, "127.0.0.1:14321") == expected
