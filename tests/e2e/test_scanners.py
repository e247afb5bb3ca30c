"""What scanners find that people point at their servers: `sslyze`, and `testssl` of Debian's testssl.sh."""

import json
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from peers.backend import answer

# What a certificate of a public authority has, and scanners look for: a serial number with entropy, what its key is for,
# where a list of the revoked would be (nobody asks there), and that it is not about to run out.
PUBLIC = ["keyUsage=critical,digitalSignature", "crlDistributionPoints=URI:http://localhost/revoked.crl"]
DAYS = 80

# What a careful site has its server or its pound.cfg say.
CAREFUL = """\
Rewrite response
    SetHeader "Strict-Transport-Security: max-age=31536000; includeSubDomains"
    SetHeader "X-Frame-Options: DENY"
    SetHeader "X-Content-Type-Options: nosniff"
    SetHeader "Content-Security-Policy: default-src 'self'"
    SetHeader "Referrer-Policy: no-referrer"
End
"""


@pytest.fixture
def site(tls_proxy, backend, authority):
    """A listener with these lines, and a certificate for each kind of key."""

    def start(*lines, kinds=("rsa:2048", "ec")):
        def issue(kind):
            serial = 1 << 126 | secrets.randbits(126)
            return authority.issue("localhost", "127.0.0.1", kind=kind, days=DAYS, serial=serial, more=PUBLIC)

        page = answer("<p>hello</p>", fields="Content-Type: text/html; charset=utf-8\r\n")
        return tls_proxy(backend(page), certificates=map(issue, kinds), listener=lines, service=[CAREFUL])

    return start


# -- sslyze


def sslyze(pound, authority, tmp_path, mozilla):
    """Its findings by the name of the check; it has to find that we are what Mozilla recommends."""
    found = tmp_path / "found.json"
    command = [Path(sys.executable).parent / "sslyze", "--json_out", found, "--mozilla_config", mozilla]
    command += ["--certinfo_ca_file", authority.certificate, "--resum", "--early_data", "--http_headers"]
    done = subprocess.run(
        [*map(str, command), f"localhost:{pound.port}"], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0 and "OK - Compliant" in done.stdout, done.stdout + done.stderr
    (server,) = json.loads(found.read_text())["server_scan_results"]
    assert server["scan_status"] == "COMPLETED"
    checks = server["scan_result"]
    assert {name: check["status"] for name, check in checks.items() if check["status"] != "COMPLETED"} == {}
    return {name: check["result"] for name, check in checks.items()}


def accepted(found, version):
    return {suite["cipher_suite"]["name"] for suite in found[f"{version}_cipher_suites"]["accepted_cipher_suites"]}


OF_1_3 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
OF_1_2 = {
    f"TLS_ECDHE_{key}_WITH_{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
}


def test_sslyze_finds_what_mozilla_calls_intermediate(site, authority, tmp_path):
    found = sslyze(site(), authority, tmp_path, "intermediate")
    for old in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
        assert accepted(found, old) == set()
    assert (accepted(found, "tls_1_2"), accepted(found, "tls_1_3")) == (OF_1_2, OF_1_3)
    deployments = found["certificate_info"]["certificate_deployments"]
    assert len(deployments) == 2
    for shown in deployments:
        (by_ours,) = [path for path in shown["path_validation_results"] if path["trust_store"]["name"] == "Supplied CA file"]
        assert by_ours["was_validation_successful"]
        assert shown["received_chain_has_valid_order"]
        assert not shown["received_chain_contains_anchor_certificate"]
    assert found["tls_compression"] == {"supports_compression": False}
    assert found["tls_1_3_early_data"] == {"supports_early_data": False}
    assert found["openssl_ccs_injection"] == {"is_vulnerable_to_ccs_injection": False}
    assert found["heartbleed"] == {"is_vulnerable_to_heartbleed": False}
    assert found["tls_fallback_scsv"] == {"supports_fallback_scsv": True}
    assert found["tls_extended_master_secret"] == {"supports_ems_extension": True}
    assert found["robot"] == {"robot_result": "NOT_VULNERABLE_RSA_NOT_SUPPORTED"}
    assert found["session_renegotiation"]["supports_secure_renegotiation"]
    assert not found["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"]
    assert found["session_resumption"]["session_id_resumption_result"] == "FULLY_SUPPORTED"
    # Not judged: `tls_ticket_resumption_result`. It takes a session for ignored unless the same ticket comes back, and ours
    # are new each time, so that nobody follows a client by them (RFC 8446 appendix C.4). That they work is seen in
    # test_openssl_clients.py.
    assert found["http_headers"]["strict_transport_security_header"]["max_age"] == 31536000


def test_sslyze_finds_what_mozilla_calls_modern_without_tls_1_2(site, authority, tmp_path):
    found = sslyze(site("Disable TLSv1_2", kinds=["ec"]), authority, tmp_path, "modern")
    assert (accepted(found, "tls_1_2"), accepted(found, "tls_1_3")) == (set(), OF_1_3)


# -- testssl

# Protocols, ciphers by strength, forward secrecy, preferences, server defaults with the certificates, fields of the
# answer, vulnerabilities. Left out is what clients of the past would do, which it only computes and never finds fault with.
GROUPS = ["-p", "-s", "-f", "-P", "-S", "-h", "-U"]

# It has to have looked at these, whichever version of it is installed.
LOOKED_AT = """
    SSLv2 SSLv3 TLS1 TLS1_1 TLS1_2 TLS1_3
    cipherlist_NULL cipherlist_aNULL cipherlist_EXPORT cipherlist_LOW cipher_order
    cert_numbers sessionresumption_ID HSTS_time
    heartbleed CCS ticketbleed ROBOT secure_renego secure_client_renego CRIME_TLS BREACH POODLE_SSL fallback_SCSV
    SWEET32 FREAK DROWN LOGJAM BEAST LUCKY13 RC4
""".split()

# What would be in the way of `nothing above LOW`, by its id.
EXCEPTIONS = {
    # Of the machine it runs on: Debian's OpenSSL has no GOST.
    "engine_problem": "WARN",
    # It goes away without a word after the handshake. We send the tickets of TLS 1.3 with the first answer, so it has
    # none to come back with; that they work is seen by sslyze and in test_openssl_clients.py.
    "sessionresumption_ticket": "WARN",
}


@pytest.mark.timeout(900)
def test_testssl_finds_nothing_above_low(site, authority, tmp_path):
    pound = site()
    found = tmp_path / "found.json"
    command = ["testssl", *GROUPS, "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none"]
    command += ["--ip", "127.0.0.1", "--add-ca", authority.certificate, "--jsonfile", found]
    done = subprocess.run(
        [*map(str, command), f"https://localhost:{pound.port}/"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=880,
    )
    findings = json.loads(found.read_text())
    severities = {finding["id"]: finding["severity"] for finding in findings}
    assert [id_ for id_ in LOOKED_AT if id_ not in severities] == [], done.stdout
    assert severities["TLS1_2"] == severities["TLS1_3"] == "OK"
    # What it calls the two certificates is another word in each of its versions.
    trusted = [severity for id_, severity in severities.items() if id_.startswith("cert_chain_of_trust ")]
    assert trusted == ["OK", "OK"]
    trouble = [
        finding
        for finding in findings
        if finding["severity"] not in ("OK", "INFO", "LOW") and EXCEPTIONS.get(finding["id"]) != finding["severity"]
    ]
    assert trouble == []
    # The exit status counts what it could not do itself.
    assert "Done" in done.stdout
