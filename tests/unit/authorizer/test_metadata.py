"""Where an issuer's metadata lies, and what may be called for it."""

import pytest

from functions.authorizer.issuer import metadata_urls, outbound_policy
from imagejobs.outbound.policy import UrlRefusedError, check_url


@pytest.mark.parametrize(
    ("issuer", "openid", "oauth"),
    [
        (
            "https://id.example",
            "https://id.example/.well-known/openid-configuration",
            "https://id.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://id.example/",
            "https://id.example/.well-known/openid-configuration",
            "https://id.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://id.example:8443/tenants/one",
            "https://id.example:8443/tenants/one/.well-known/openid-configuration",
            "https://id.example:8443/.well-known/oauth-authorization-server/tenants/one",
        ),
    ],
)
def test_metadata_lies_where_the_standards_say(issuer: str, openid: str, oauth: str) -> None:
    assert metadata_urls(issuer) == [openid, oauth]


@pytest.mark.parametrize("url", ["http://id.example/jwks", "https://10.0.0.1/jwks", "https://169.254.169.254/jwks"])
def test_keys_come_by_https_from_public_addresses(url: str) -> None:
    with pytest.raises(UrlRefusedError):
        check_url(url, outbound_policy("https://id.example"))


def test_an_issuer_on_loopback_may_speak_http() -> None:
    issuer = "http://127.0.0.1:8084"

    assert check_url(f"{issuer}/jwks", outbound_policy(issuer)).port == 8084


@pytest.mark.parametrize("issuer", ["http://id.example", "http://localhost.example:8084", "http://10.0.0.1"])
def test_no_other_issuer_may_speak_http(issuer: str) -> None:
    with pytest.raises(UrlRefusedError):
        check_url(f"{issuer}/jwks", outbound_policy(issuer))
