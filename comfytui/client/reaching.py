"""How a server is reached: TLS, the tunnel's socket, and what it means when nothing answers."""

from __future__ import annotations

import ssl

import httpx

from comfytui.client import sanitize
from comfytui.client.errors import (
    BadTarget,
)
from comfytui.client.target import Target

LIMITS = httpx.Limits(max_connections=8, max_keepalive_connections=4)


def tls_context(target: Target) -> ssl.SSLContext | None:
    """Whom to trust, and as whom we come; None without TLS. Raises BadTarget for files that cannot be used.

    `verify` of the target: the system's authorities, those of a bundle, or (False) anybody.
    """
    if not target.url.startswith("https:"):
        return None
    bundle = target.verify if isinstance(target.verify, str) else None
    try:
        context = ssl.create_default_context(cafile=bundle)
    except OSError as error:  # an SSLError is one too
        said = error.strerror or "it holds no certificate"
        raise BadTarget(f"{target.label}: the CA bundle {bundle} cannot be used: {said}.", where=target.url) from error
    if not target.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if (mine := target.certificate) is not None:
        # A password always, if an empty one: OpenSSL would ask the terminal for it otherwise.
        try:
            context.load_cert_chain(mine.file, mine.key or None, password=lambda: mine.password)
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", "") or "not PEM, a key of another certificate, or another password"
            raise BadTarget(
                f"{target.label}: the client certificate {mine.file} cannot be used: {sanitize.line(said)}.",
                where=target.url,
            ) from None
    return context


def tunnelled(target: Target, context: ssl.SSLContext | bool) -> httpx.AsyncHTTPTransport | None:
    """Through the tunnel: the server's name stays in the URL, in the Host header and in TLS."""
    if target.via is None:
        return None
    return httpx.AsyncHTTPTransport(uds=target.via.path, verify=context, limits=LIMITS, trust_env=False)


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """The TLS library's own words behind an exception: a server that wants a certificate says so with the first answer only."""
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None or isinstance(seen, ssl.SSLError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def why_unreachable(target: Target, error: BaseException) -> str:
    """A sentence for an exception of the network, and what to do about it."""
    said = str(_tls_error(error) or error) or type(error).__name__
    text = sanitize.line(target.scrubbed(said), 200).rstrip(".")
    low = text.lower()
    if "certificate required" in low or "certificate_required" in low or "alert bad certificate" in low:
        return f"{target.label} wants a certificate of ours ({text}). Name cert and key in the server's settings."
    if "certificate" in low:
        return (
            f"{target.label}: its certificate is not trusted ({text}). "
            "Name its CA bundle (ca) in the server's settings, or turn verification off (verify = false)."
        )
    if isinstance(error, httpx.ReadError) and target.url.startswith("https:") and target.certificate is None:
        # Its alert is often overtaken by the end of the connection.
        return (
            f"{target.label} broke the connection off ({text}). If it wants a certificate of ours, name cert and key."
        )
    if "ssl" in low or "wrong version number" in low or "tls" in low:
        return f"{target.label} does not speak TLS as expected ({text}). Try http:// instead of https://."
    if target.via is not None and ("no such file" in low or "refused" in low or "attempts failed" in low):
        return f"The tunnel to {target.via.host} is not open ({text}). It is opened again by itself."
    if target.via is not None:
        there = target.url.partition("://")[2].partition("/")[0]
        return (
            f"The tunnel to {target.via.host} is open, but nothing answers at {there} there ({text}). "
            f"Is ComfyUI running on {target.via.host}, and is the port right?"
        )
    if (
        "name or service not known" in low
        or "nodename nor servname" in low
        or "getaddrinfo" in low
        or "resolution" in low
    ):
        return f"{target.label}: no such host. Check the name, or the tunnel to it."
    if "refused" in low or "connect call failed" in low or "all connection attempts failed" in low:
        return f"{target.label} refuses connections. Is ComfyUI running there, and is the port right?"
    return f"{target.label} cannot be reached: {text}. Check the network, or the tunnel to it."
